"""Encode a photo once, at several scales, and predict with each prompt at the scale of its object.

A level is the whole photo at one size. Its embedding is larger than that of a photo of the trained size, so a prompt sees the
part of it around itself that has as many tokens as the trained grid, with coordinates as of a photo of that size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from basam.errors import InputError
from basam.predict.answers import Answer
from basam.predict.decoding import PromptDecoder
from basam.predict.focus import Focus
from basam.predict.mask_prompts import MaskPrompts
from basam.predict.photo_encoder import PhotoEncoder
from basam.predict.prompts import CheckedPrompts
from basam.predict.regions import sides_cut
from basam.predict.views import View

# Predicted IoU is biased towards coarse levels, where objects are small. On training pictures (126 objects of mosaics, 208 of
# COCO's train2017) clicks have 0.51 and 0.585 of IoU with this value; 0.48 and 0.588 with 0, 0.52 and 0.57 with 0.2.
COARSER = 0.1
# On the same pictures, boxes that fill at most 0.5, 0.7, 0.9 and 1 of a part have 0.552, 0.566, 0.572 and 0.571 of IoU on
# mosaics of 4 x 4 scenes and 0.695, 0.699, 0.701 and 0.699 on COCO.
LARGEST_BOX = 0.9


class PyramidDecoder(PromptDecoder):
    """Predicts with prompts on parts of the levels of the image at hand.

    Args:
        encoder: with an image that has levels.
        focus: its `cut` is what a click's prediction loses for each side of its part that cuts the mask off.
        multimask: as for `Predictor.predict`.
        level: of all prompts, 0 being the finest; None: each takes its own.

    Raises:
        ValueError: the image has no such level.
    """

    def __init__(self, encoder: PhotoEncoder, focus: Focus, multimask: bool, level: int | None = None) -> None:
        super().__init__(encoder, multimask)
        self.focus, self.levels = focus, encoder.image.levels
        if level is not None:
            if isinstance(level, bool) or not isinstance(level, (int, np.integer)) or not 0 <= level < len(self.levels):
                raise InputError(f"level={level!r}: this image has the levels 0 to {len(self.levels) - 1}, 0 being the finest")
            self.levels = (self.levels[level],)
        sizes = [self.masks.size(View.of_level(each, 0, 0, self.geometry)) for each in self.levels]
        sizes.append((max(height for height, _ in sizes), max(width for _, width in sizes)))
        self.masks = MaskPrompts(self.geometry, [encoder.image.whole], sizes, alone=False)

    def choose(self, prompts: CheckedPrompts) -> tuple[dict[int, View], dict[int, Answer]]:
        views = {index: self.view_of_box(box) for index, box in self.masks.boxes(prompts).items()}
        clicks = [index for index in range(prompts.count) if index not in views]
        # The level of a click does not depend on a mask beside it: so the mask of an earlier prediction is of the same part.
        bare = replace(prompts, masks=None)
        answers = self.best_of_levels(bare, clicks)
        if prompts.masks is not None:
            views |= {index: answer.view for index, answer in answers.items()}
        return views, answers

    def view_of_box(self, box: NDArray[np.float64]) -> View:
        """The part around a box, of the finest level on which it fills `LARGEST_BOX` of the part's side or less."""
        x0, y0, x1, y1 = (float(value) for value in box)
        # A part begins at a whole patch, so that the box may lie half a patch off its middle.
        most = min(LARGEST_BOX * self.geometry.image_size, self.geometry.image_size - self.geometry.patch)
        fitting = [level for level in self.levels if max(x1 - x0, y1 - y0) * self.scale(level) <= most]
        return View.of_level(fitting[0] if fitting else self.levels[-1], (x0 + x1) / 2, (y0 + y1) / 2, self.geometry)

    def best_of_levels(self, prompts: CheckedPrompts, indices: Sequence[int]) -> dict[int, Answer]:
        """The best prediction with each click among those on the levels on which its points fit a part."""
        best: dict[int, Answer] = {}
        for level in reversed(self.levels):
            views = {}
            for index in indices:
                points = prompts.object_points(index)
                low, high = points.min(0), points.max(0)
                extent = float((high - low).max()) * self.scale(level)
                if level is self.levels[-1] or 1.25 * extent <= self.geometry.image_size:
                    x, y = (low + high) / 2
                    views[index] = View.of_level(level, float(x), float(y), self.geometry)
            for index, answer in self.predict(prompts, views).items():
                if index not in best or self.worth(answer) > self.worth(best[index]):
                    best[index] = answer
        return best

    def worth(self, answer: Answer) -> float:
        """How good a prediction with a click is among those on other levels: predicted IoU, less `focus.cut` for each side of
        its part that cuts the mask off, and less `COARSER` for each octave that its level is smaller than the photo."""
        best, box, region = float(answer.scores.max()), answer.best_box, answer.view.region
        cut = 0 if region is None else sides_cut(box, region, self.height, self.width)
        octaves = max(0.0, -math.log2(self.scale(answer.view.encoded)))
        return best - self.focus.cut * cut - COARSER * octaves - (box is None)

    def scale(self, level: View) -> float:
        """Pixels of a level along a pixel of the image."""
        return max(level.frame.resized) / max(level.frame.original)
