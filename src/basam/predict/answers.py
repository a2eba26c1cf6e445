"""What a prompt was answered on its region: how good it is taken to be, and how answers become masks of the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from basam.predict.focus import Focus
from basam.predict.regions import sides_cut
from basam.predict.views import View

# The logit of pixels outside the region: SAM's logits of clear background are about that low.
OUTSIDE = -20.0


@dataclass(frozen=True, eq=False)
class Answer:
    """Of one prompt: its view, masks `(M, h, w)` at the view's size, predicted IoU `(M,)`, low-resolution logits.

    Attributes:
        logits: whether masks are logits instead of booleans.
        present: how sure the model is that there is an object; None: it does not say.
    """

    view: View
    masks: NDArray[Any]
    scores: NDArray[np.float32]
    low_res: NDArray[np.float32]
    logits: bool
    present: torch.Tensor | None = None

    @property
    def best_mask(self) -> NDArray[np.bool_]:
        """`(h, w)`, that of the highest predicted IoU."""
        mask: NDArray[Any] = self.masks[int(self.scores.argmax())]
        return mask > 0 if self.logits else mask

    def worth(self, focus: Focus, height: int, width: int) -> float:
        """What this answer counts among others to the same prompt, on an image of height x width px: its predicted IoU, less
        `focus.margin` on a region, and less `focus.cut` for each side of it that cuts the mask off."""
        best, region = float(self.scores.max()), self.view.region
        if region is None:
            return best
        return best - focus.margin - focus.cut * sides_cut(self.best_mask, region, height, width)


def whole_masks(answers: Sequence[Answer], height: int, width: int) -> NDArray[Any]:
    """Masks `(K, M, height, width)` at the image's size: False, or the logit `OUTSIDE`, beyond each region."""
    first = answers[0].masks
    masks = np.full((len(answers), len(first), height, width), OUTSIDE if answers[0].logits else False, dtype=first.dtype)
    for index, answer in enumerate(answers):
        rows, columns = answer.view.window(height, width)
        masks[index][:, rows, columns] = answer.masks
    return masks


def stacked_low_res(answers: Sequence[Answer]) -> NDArray[np.float32]:
    """Low-resolution logits `(K, M, h, w)`; where regions differ in size, smaller ones are filled up with `OUTSIDE`."""
    shapes = np.array([answer.low_res.shape for answer in answers])
    stacked = np.full((len(answers), *shapes.max(0)), OUTSIDE, dtype=np.float32)
    for index, answer in enumerate(answers):
        stacked[index][tuple(slice(0, length) for length in answer.low_res.shape)] = answer.low_res
    return stacked
