"""Mask prompts: low-resolution logits of an earlier prediction, of the whole image or of the prompt's own view of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from basam.errors import InputError
from basam.families import Geometry
from basam.masks import tight_box
from basam.predict.predictions import BACKGROUND_LOGIT
from basam.predict.prompts import CheckedPrompts
from basam.predict.views import View


@dataclass(frozen=True)
class MaskPrompts:
    """Tells what part of the image a mask prompt covers, by its size.

    Attributes:
        whole: views of the whole image that a mask may belong to.
        own_sizes: `(h, w)` of masks that belong to the prompt's own view.
        alone: whether a prompt without point and box also has a view of its own.
    """

    geometry: Geometry
    whole: Sequence[View]
    own_sizes: Sequence[tuple[int, int]] = ()
    alone: bool = False

    def size(self, view: View) -> tuple[int, int]:
        return self.geometry.mask_size(*view.frame.padded)

    def is_of_whole(self, prompts: CheckedPrompts, index: int) -> bool:
        """Whether a mask prompt covers the whole image. A mask alone has no view of its own, so it must."""
        if prompts.masks is None or prompts.masks.shape[2:] not in self.own_sizes:
            return True
        return not self.alone and prompts.boxes is None and not len(prompts.object_points(index))

    def boxes(self, prompts: CheckedPrompts) -> dict[int, NDArray[np.float64]]:
        """The box per prompt whose object is located by a box, or by a mask of the whole image; it includes positive points.

        Raises:
            ValueError: a mask without a logit above 0 and without another prompt beside it.
        """
        boxes = {}
        for index in range(prompts.count):
            box = None if prompts.boxes is None else prompts.boxes[index]
            if box is None and prompts.masks is not None and self.is_of_whole(prompts, index):
                box = self.box(prompts.masks[index, 0])
                if box is None and not len(prompts.object_points(index)):
                    raise InputError("mask_input has no logit above 0, so it does not locate an object: give a point or a box")
            if box is not None:
                boxes[index] = prompts.with_positive_points(box, index)
        return boxes

    def box(self, logits: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """The box in pixels of the image of logits `(h, w)` of the whole image; None if no logit is above 0."""
        frame = self.whole_of(logits).frame
        height, width = frame.original
        # Model pixels per pixel of the mask.
        up, across = (padded / length for padded, length in zip(frame.padded, logits.shape, strict=True))
        mask = logits[: math.ceil(frame.resized[0] / up), : math.ceil(frame.resized[1] / across)] > 0
        if not mask.any():
            return None
        scale = np.array([across * width / frame.resized[1], up * height / frame.resized[0]] * 2)
        return np.minimum(tight_box(mask) * scale, np.array([width, height] * 2, dtype=np.float64))

    def whole_of(self, logits: NDArray[np.float32]) -> View:
        """The view of the whole image that logits `(h, w)` belong to.

        Raises:
            ValueError: no view has this size.
        """
        for view in self.whole:
            if logits.shape == self.size(view):
                return view

        def listed(sizes: Sequence[tuple[int, int]]) -> str:
            return " or ".join(f"(1, {height}, {width})" for height, width in dict.fromkeys(sizes))

        whole, own = listed([self.size(view) for view in self.whole]), listed(self.own_sizes)
        raise InputError(
            f"mask_input of shape (1, {logits.shape[0]}, {logits.shape[1]}): {whole} of the whole image is needed, or, "
            f"beside a point or a box, {own} of its region"
        )

    def in_view(self, prompts: CheckedPrompts, index: int, view: View) -> NDArray[np.float32]:
        """A mask prompt `(1, h, w)` in a view; one of the whole image is cropped and resampled to it."""
        assert prompts.masks is not None
        logits, (height, width) = prompts.masks[index], self.size(view)
        if not self.is_of_whole(prompts, index):
            return logits[:, :height, :width]  # without the padding of `stacked_low_res`
        if view.region is None and logits.shape[1:] == (height, width):
            return logits
        whole = self.whole_of(logits[0]).frame.masks_out(torch.from_numpy(logits)[None])
        rows, columns = view.window(*whole.shape[-2:])
        part = F.interpolate(whole[..., rows, columns], view.frame.resized, mode="bilinear", antialias=True)
        up, across = (padded - resized for padded, resized in zip(view.frame.padded, view.frame.resized, strict=True))
        part = F.pad(part, (0, across, 0, up), value=BACKGROUND_LOGIT)
        return F.interpolate(part, (height, width), mode="bilinear", antialias=True)[0].numpy()
