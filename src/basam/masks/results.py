"""The results of one photo: its masks with all that is known about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from basam.masks.cleaning import Cleaning
from basam.masks.regions import clean_mask, soft_after
from basam.masks.runs import RunMask
from basam.masks.soft import SoftMask

# The category of a mask without a label.
UNNAMED = "object"
# Columns of a table of masks. x1 and y1 are exclusive; area is in pixels of the photo.
COLUMNS = (
    *("photo", "number", "id", "label", "score", "predicted_iou", "stability", "area"),
    *("x0", "y0", "x1", "y1", "point_x", "point_y"),
)


@dataclass(frozen=True, eq=False)
class MaskResult:
    """One mask.

    Attributes:
        runs: at native resolution.
        predicted_iou: as predicted by the model.
        id: of the prompt, or the mask's number in the photo; a text or a number. `named`: it is the prompt's own.
        label, prompt_score: class and confidence, if the prompt has them. category_id: of the label in the user's COCO file.
        stability: IoU of the masks at the threshold plus and minus an offset, if it was measured.
        point: x, y in pixels of the photo, if the prompt was one point.
        soft: its soft edge, for cut-outs.
    """

    runs: RunMask
    predicted_iou: float
    id: str | int
    label: str | None = None
    stability: float | None = None
    point: tuple[float, float] | None = None
    soft: SoftMask | None = None
    named: bool = False
    category_id: int | str | None = None
    prompt_score: float | None = None

    @property
    def score(self) -> float:
        """The prompt's, such as a detector's, if it has one, otherwise the predicted IoU."""
        return self.predicted_iou if self.prompt_score is None else self.prompt_score


@dataclass(frozen=True, eq=False)
class PhotoResults:
    """A photo and its masks, in the order in which their files are numbered.

    Attributes:
        photo: its path.
        size: (height, width) of the masks.
        pixels: `(h, w, 3)` uint8, perhaps read smaller.
        tolerance: pixels by which polygons may leave the masks' edges.
        boxes, points: prompts that overlays show.
        places: index of every mask's prompt, by which files are numbered; None: every prompt has a mask.
        prompts: number of them; None: as many as masks.
        name: of the photo in tables; empty: its path.
    """

    photo: Path
    size: tuple[int, int]
    pixels: NDArray[np.uint8]
    masks: list[MaskResult]
    tolerance: float
    boxes: Sequence[Sequence[float]] = ()
    points: Sequence[Sequence[float]] = ()
    places: Sequence[int] | None = None
    prompts: int | None = None
    name: str = ""


def cleaned(masks: Iterable[MaskResult], cleaning: Cleaning, *, keep_empty: bool = False) -> list[MaskResult]:
    """Masks without small regions and holes; masks that become empty are dropped, unless `keep_empty`."""
    if cleaning.does_nothing:
        return list(masks)
    out = []
    for result in masks:
        mask = clean_mask(result.runs.mask(), cleaning)
        if keep_empty or mask.any():
            soft = None if result.soft is None else soft_after(result.soft, mask)
            out.append(replace(result, runs=RunMask.of(mask), soft=soft))
    return out


def row_of(one: MaskResult) -> list[object]:
    """Cells of `COLUMNS` after `number`; empty where a value is not known."""
    stability = "" if one.stability is None else round(one.stability, 6)
    point = ("", "") if one.point is None else one.point
    scores = round(one.score, 6), round(one.predicted_iou, 6), stability
    return [one.id, one.label or "", *scores, one.runs.area, *one.runs.box, *point]
