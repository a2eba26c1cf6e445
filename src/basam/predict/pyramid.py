"""Encode a photo once, at several scales, and predict with a prompt at the scale that suits its object.

A level is the whole photo at one size. Its embedding is larger than that of a photo of the training resolution, so a prompt is
decoded on the part around it with the training token count, with coordinates as of a photo of that size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from basam.errors import InputError
from basam.predict.decoding import PromptDecoder, prompts_at_once
from basam.predict.focus import Focus
from basam.predict.mask_prompts import MaskPrompts
from basam.predict.photo_encoder import PhotoEncoder
from basam.predict.predictions import Prediction
from basam.predict.prompts import CheckedPrompts
from basam.predict.regions import sides_cut
from basam.predict.views import View

# Predicted IoU favours coarse levels, where objects are small. On training pictures (126 objects of mosaics, 208 of COCO's
# train2017) clicks reach an IoU of 0.51 and 0.585 with this value; 0.48 and 0.588 with 0, 0.52 and 0.57 with 0.2.
COARSER = 0.1
# On the same pictures, boxes that fill at most 0.5, 0.7, 0.9 and 1 of a part reach 0.552, 0.566, 0.572 and 0.571 of IoU on
# mosaics of 4 x 4 scenes and 0.695, 0.699, 0.701 and 0.699 on COCO.
LARGEST_BOX = 0.9


class PyramidDecoder(PromptDecoder):
    """Predicts with prompts on parts of the levels of the current image.

    Args:
        encoder: with an image that has levels.
        focus: its `cut` is the penalty of a click's prediction for every side of its part that cuts the mask off.
        multimask: see `Predictor.predict`.
        level: for all prompts, 0 is the finest; None: chosen per prompt.

    Raises:
        ValueError: the image has no such level.
    """

    def __init__(self, encoder: PhotoEncoder, focus: Focus, multimask: bool, level: int | None = None) -> None:
        super().__init__(encoder, multimask)
        self.focus, self.levels = focus, encoder.image.levels
        if level is not None:
            if isinstance(level, bool) or not isinstance(level, (int, np.integer)) or not 0 <= level < len(self.levels):
                raise InputError(f"level={level!r}: the levels of this image are 0 (the finest) to {len(self.levels) - 1}")
            self.levels = (self.levels[level],)
        sizes = [self.masks.size(View.of_level(level, 0, 0, self.geometry)) for level in self.levels]
        sizes.append((max(height for height, _ in sizes), max(width for _, width in sizes)))
        self.masks = MaskPrompts(self.geometry, [encoder.image.whole], sizes, alone=False)

    def choose(self, prompts: CheckedPrompts) -> tuple[dict[int, View], dict[int, Prediction]]:
        views = {index: self.view_of_box(box) for index, box in self.masks.boxes(prompts).items()}
        clicks = [index for index in range(prompts.count) if index not in views]
        # The level of a click does not depend on a mask prompt beside it, so an earlier prediction's mask fits the part.
        bare = replace(prompts, masks=None)
        predictions = self.best_of_levels(bare, clicks)
        if prompts.masks is not None:
            views |= {index: prediction.view for index, prediction in predictions.items()}
        return views, predictions

    def view_of_box(self, box: NDArray[np.float64]) -> View:
        """The part around a box, on the finest level on which the box fills at most `LARGEST_BOX` of the part's side."""
        x0, y0, x1, y1 = (float(value) for value in box)
        # A part begins at a whole patch, so the box may be half a patch off its centre.
        most = min(LARGEST_BOX * self.geometry.image_size, self.geometry.image_size - self.geometry.patch)
        fitting = [level for level in self.levels if max(x1 - x0, y1 - y0) * self.scale(level) <= most]
        return View.of_level(fitting[0] if fitting else self.levels[-1], (x0 + x1) / 2, (y0 + y1) / 2, self.geometry)

    def best_of_levels(self, prompts: CheckedPrompts, indices: Sequence[int]) -> dict[int, Prediction]:
        """The best prediction per click, among levels on which its points fit a part."""
        best: dict[int, Prediction] = {}
        step = max(1, prompts_at_once(self.geometry.trained_tokens) // len(self.levels))
        for start in range(0, len(indices), step):
            pairs = [(index, view) for index in indices[start : start + step] for view in self.views_of_click(prompts, index)]
            for (index, _), prediction in zip(pairs, self.predict_on(prompts, pairs), strict=True):
                if index not in best or self.ranking_score(prediction) > self.ranking_score(best[index]):
                    best[index] = prediction
        return best

    def views_of_click(self, prompts: CheckedPrompts, index: int) -> list[View]:
        """The part around a click on every level on which its points fit a part, the coarsest first."""
        points = prompts.object_points(index)
        low, high = points.min(0), points.max(0)
        x, y = ((low + high) / 2).tolist()
        extent = 1.25 * float((high - low).max())
        fitting = [level for level in reversed(self.levels) if extent * self.scale(level) <= self.geometry.image_size]
        return [View.of_level(level, x, y, self.geometry) for level in fitting or self.levels[-1:]]

    def ranking_score(self, prediction: Prediction) -> float:
        """The score by which predictions with a click are ranked across levels: predicted IoU, minus `focus.cut` for every side
        of its part that cuts the mask off, minus `COARSER` for every octave between its level and the photo."""
        best, edges, region = float(prediction.scores.max()), prediction.best_edges, prediction.view.region
        cut = 0 if region is None else sides_cut(edges, region, self.height, self.width)
        octaves = max(0.0, -math.log2(self.scale(prediction.view.encoded)))
        return best - self.focus.cut * cut - COARSER * octaves - (edges is None)

    def scale(self, level: View) -> float:
        """Pixels of a level per pixel of the image."""
        return max(level.frame.resized) / max(level.frame.original)
