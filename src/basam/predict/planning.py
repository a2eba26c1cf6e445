"""The views that a photo's prompts will be predicted on, before the photo is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from basam.predict.focus import Focus
from basam.predict.focusing import MOST_ZOOMS, FocusDecoder
from basam.predict.levels import levels_of
from basam.predict.predictor import Predictor
from basam.predict.prompts import check_prompts
from basam.predict.pyramid import PyramidDecoder
from basam.predict.views import LoadedImage, View


@dataclass(frozen=True)
class PlannedView:
    """How one prompt will be predicted.

    Attributes:
        view: the view that its masks will come from. `certain` is False for a click whose region depends on a mask that is
            not predicted yet: the view then stands for one of the same number of tokens around the click.
        encodings: encoder passes for this prompt, at most; prompts that share a view share its encoding.
    """

    view: View
    encodings: int = 1
    certain: bool = True


def planned_views(
    predictor: Predictor,
    height: int,
    width: int,
    prompt: dict[str, Any],
    focus: Focus | None,
    *,
    long_side: int | None = None,
    square: bool = False,
    pyramid: bool = False,
) -> list[PlannedView]:
    """The view per prompt on an image of height x width px. Nothing is encoded; the predictor's image is forgotten.

    Args:
        prompt: arguments of `Predictor.predict`: `point_coords`, `point_labels`, `box`; with `focus` (None: the whole image).
        long_side, square, pyramid: see `Predictor.set_image`.

    Raises:
        ValueError: an image or a prompt that the predictor rejects.
    """
    frame = predictor.frame_of(height, width, long_side, square)
    levels = levels_of(predictor.attachment.geometry, height, width, max(frame.resized)) if pyramid else (View(frame),)
    # A placeholder image of this size that takes no memory: all pixels share one value.
    pixels = np.broadcast_to(np.uint8(127), (height, width, 3))
    predictor.use(LoadedImage(levels[-1], pixels, levels=levels if pyramid else ()))
    prompts = check_prompts(
        height, width, None, prompt.get("point_coords"), prompt.get("point_labels"), prompt.get("box"), None
    )
    if pyramid:
        decoder = PyramidDecoder(predictor, predictor.focus, False)
        boxes = {index: PlannedView(decoder.view_of_box(box)) for index, box in decoder.masks.boxes(prompts).items()}
        click = PlannedView(levels[-1], len(levels), certain=len(levels) == 1)
        return [boxes.get(index, click) for index in range(prompts.count)]
    if focus is None:
        return [PlannedView(levels[0])] * prompts.count
    focusing = FocusDecoder(predictor, focus, False)
    regions = focusing.regions_of_boxes(prompts)
    planned = []
    for index in range(prompts.count):
        if index in regions:
            planned.append(PlannedView(focusing.view(regions[index])))
        elif focus.click == "scales":
            views = focusing.scales(prompts, index)
            planned.append(PlannedView(views[0], len(views), certain=len(views) == 1))
        elif focus.click == "coarse" and focusing.is_small:
            planned.append(PlannedView(focusing.coarse))
        else:
            view = focusing.view(focusing.around_points(prompts.object_points(index)))
            planned.append(PlannedView(view, MOST_ZOOMS if focus.click == "zoom" else 2, certain=False))
    return planned
