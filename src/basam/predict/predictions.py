"""A prediction with one prompt on one view, how it ranks among others, and masks of the whole image from predictions.

Masks are upscaled to the image's size on demand: of several candidates with three masks, few are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from basam.masks import EDGE, RunMask, SoftMask, edge_width
from basam.predict.enlarging import Enlarging
from basam.predict.focus import Focus
from basam.predict.regions import edges_reached, sides_cut
from basam.predict.views import View

# The logit of pixels outside the region: about SAM's value for clear background.
BACKGROUND_LOGIT = -20.0


@dataclass(frozen=True, eq=False)
class Prediction:
    """The prediction with one prompt.

    Attributes:
        view: the view that was encoded.
        scores: predicted IoU `(M,)`.
        low: logits `(M, h, w)` of the view's padded frame.
        threshold: of the masks, in logits.
        present: confidence that there is an object; None: not predicted by the model.
        parts: cache of `part_of`.
    """

    view: View
    scores: NDArray[np.float32]
    low: Tensor
    threshold: float
    present: Tensor | None = None
    parts: dict[int, tuple[NDArray[np.bool_], int, int]] = field(default_factory=dict, repr=False)

    @property
    def low_res(self) -> NDArray[np.float32]:
        return self.low.cpu().numpy()

    def masks(self, logits: bool = False) -> NDArray[Any]:
        """`(M, height, width)` at the view's own size in the image: bool, or logits."""
        full = self.view.frame.masks_out(self.low[None])[0]
        return (full if logits else full > self.threshold).cpu().numpy()

    @cached_property
    def best_box(self) -> NDArray[np.float64] | None:
        """The box `(4,)` of the mask of the highest predicted IoU, in pixels of the view; None: it is empty."""
        return self.enlarging.box(self.low[int(self.scores.argmax())], self.threshold)

    @cached_property
    def best_edges(self) -> tuple[bool, bool, bool, bool] | None:
        """Whether that mask reaches the top, bottom, left and right edge of the view, by its low-resolution logits; None: it is
        empty."""
        low, frame = self.low[int(self.scores.argmax())], self.view.frame
        rows, columns = (
            -(-length * resized // padded)  # the rest is padding
            for length, resized, padded in zip(low.shape, frame.resized, frame.padded, strict=True)
        )
        return edges_reached(low[:rows, :columns].cpu().numpy() > self.threshold)

    def part_of(self, index: int) -> tuple[NDArray[np.bool_], int, int]:
        """A rectangle that holds one mask, and its top and left edge in the view; the rest of the view is not computed."""
        if index not in self.parts:
            rectangle = self.enlarging.where_above(self.low[index], self.threshold)
            part, top, left = np.zeros((0, 0), dtype=bool), 0, 0
            if rectangle is not None:
                part = self.enlarging.mask(self.low[index], rectangle, self.threshold).cpu().numpy()
                top, _, left, _ = rectangle
            self.parts[index] = part, top, left
        return self.parts[index]

    def runs(self, index: int, height: int, width: int) -> RunMask:
        """One mask of an image of height x width px."""
        part, top, left = self.part_of(index)
        rows, columns = self.view.window(height, width)
        return RunMask.of_part(part, top + rows.start, left + columns.start, height, width)

    def soft(self, index: int, height: int, width: int) -> SoftMask:
        """The soft edge of one mask of an image of height x width px."""
        rectangle = self.enlarging.where_above(self.low[index], self.threshold - EDGE) or (0, 0, 0, 0)
        rows, columns = self.view.window(height, width)
        logits = self.enlarging.part(self.low[index], rectangle) - self.threshold
        top, left = rectangle[0] + rows.start, rectangle[2] + columns.start
        return SoftMask.of_logits(logits.cpu().numpy(), edge_width(height, width), top, left)

    @property
    def enlarging(self) -> Enlarging:
        return Enlarging(self.view.frame, (self.low.shape[-2], self.low.shape[-1]))

    def ranking_score(self, focus: Focus, height: int, width: int) -> float:
        """The score by which predictions with the same prompt are ranked, on an image of height x width px: predicted IoU,
        minus `focus.margin` on a region, and minus `focus.cut` for every side of it that cuts the mask off."""
        best, region = float(self.scores.max()), self.view.region
        if region is None:
            return best
        return best - focus.margin - focus.cut * sides_cut(self.best_edges, region, height, width)


def whole_masks(predictions: Sequence[Prediction], height: int, width: int, logits: bool) -> NDArray[Any]:
    """Masks `(K, M, height, width)` at the image's size, bool or logits: False or `BACKGROUND_LOGIT` outside their region."""
    kind, outside = (np.float32, BACKGROUND_LOGIT) if logits else (np.bool_, False)
    masks: NDArray[Any] = np.full((len(predictions), len(predictions[0].scores), height, width), outside, dtype=kind)
    for index, prediction in enumerate(predictions):
        rows, columns = prediction.view.window(height, width)
        masks[index][:, rows, columns] = prediction.masks(logits)
    return masks


def stacked_low_res(predictions: Sequence[Prediction]) -> NDArray[np.float32]:
    """Low-resolution logits `(K, M, h, w)`; where regions differ in size, smaller ones are padded with `BACKGROUND_LOGIT`."""
    shapes = np.array([prediction.low_res.shape for prediction in predictions])
    stacked = np.full((len(predictions), *shapes.max(0)), BACKGROUND_LOGIT, dtype=np.float32)
    for index, prediction in enumerate(predictions):
        stacked[index][tuple(slice(0, length) for length in prediction.low_res.shape)] = prediction.low_res
    return stacked
