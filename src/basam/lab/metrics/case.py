"""One prediction beside its ground truth, checked once and prepared for both conventions (see `catalogue`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from basam.errors import InputError


@dataclass(frozen=True, eq=False)
class Case:
    """What a metric is computed from.

    Attributes:
        probabilities: `(H, W)` float32 in 0..1, the prediction as it is delivered.
        truth: `(H, W)` bool with at least one pixel.
        image: `(H, W, 3)` uint8 RGB, where a metric looks at the photograph.
        ignored: `(H, W)` bool pixels that count nowhere; None: all count.

    Raises:
        ValueError: naming the argument and what is wrong with it.
    """

    probabilities: np.ndarray
    truth: np.ndarray
    image: np.ndarray | None = None
    ignored: np.ndarray | None = None

    def __post_init__(self) -> None:
        probabilities, truth, image = self.probabilities, self.truth, self.image
        if truth.ndim != 2 or truth.dtype != bool:
            raise InputError(f"truth of shape {truth.shape} and type {truth.dtype}: an (H, W) bool array is needed")
        if probabilities.shape != truth.shape:
            raise InputError(
                f"probabilities of shape {probabilities.shape} for a ground truth of {truth.shape}: metrics are taken at "
                "the ground truth's own size, resample the logits to it first"
            )
        if probabilities.dtype != np.float32:
            raise InputError(f"probabilities of type {probabilities.dtype}: float32 is needed")
        if not truth.any():
            raise InputError("truth has no pixel: nothing can be measured against it")
        if self.ignored is not None:
            self._leave_out(self.ignored)
        probabilities = self.probabilities
        lowest, highest = float(probabilities.min()), float(probabilities.max())
        if not (lowest >= 0 and highest <= 1):  # false for NaN too
            raise InputError(f"probabilities from {lowest:g} to {highest:g}: finite values from 0 to 1 are needed, not logits")
        if image is not None and (image.shape != (*truth.shape, 3) or image.dtype != np.uint8):
            raise InputError(f"image of shape {image.shape} and type {image.dtype}: {(*truth.shape, 3)} uint8 is needed")

    def _leave_out(self, ignored: np.ndarray) -> None:
        """Use the lowest of all predictions that count if none counts: an empty prediction is right there."""
        if ignored.shape != self.truth.shape or ignored.dtype != bool:
            raise InputError(f"ignored of shape {ignored.shape} and type {ignored.dtype}: {self.truth.shape} bool is needed")
        if (ignored & self.truth).any():
            raise InputError("ignored pixels are part of the truth: they must be outside of it")
        lowest = self.probabilities[~ignored].min()
        object.__setattr__(self, "probabilities", np.where(ignored, lowest, self.probabilities))

    @cached_property
    def counted(self) -> Case:
        """The pixels that count, as a picture of one row; unchanged if all do. For metrics that use no neighbours."""
        if self.ignored is None:
            return self
        return Case(self.probabilities[~self.ignored][None], self.truth[~self.ignored][None])

    @cached_property
    def stored(self) -> np.ndarray:
        """The prediction as published ones are stored: (H, W) uint8, nearest of 256 levels."""
        return np.rint(self.probabilities * 255).astype(np.uint8)

    @cached_property
    def stored_truth(self) -> np.ndarray:
        """The ground truth as stored: (H, W) uint8, 0 or 255."""
        return self.truth.astype(np.uint8) * 255

    @cached_property
    def delivered(self) -> np.ndarray:
        """The mask as delivered: (H, W) bool, probabilities above 0.5 (logits above 0)."""
        mask = self.probabilities > 0.5
        return mask if self.ignored is None else mask & ~self.ignored
