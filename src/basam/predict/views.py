"""Views of an image: the whole of it, a region, or a part of an embedding; and an image with what is encoded of it.

An image is kept as it was given; a view of it is encoded when a prompt needs it, and cached for the next prompt.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from basam.families import Geometry
from basam.predict.regions import Region
from basam.predict.resize import Frame

# Encoded views that are cached; the one whose last use is longest ago is evicted first.
CACHED = 32


@dataclass(frozen=True)
class View:
    """What a prompt is predicted on.

    Attributes:
        frame: sizes of the view: its own in the image, resized, padded.
        region: which part of the image; None: the whole image.
    """

    frame: Frame
    region: Region | None = None

    @classmethod
    def of_region(cls, region: Region, height: int, width: int, side: int, geometry: Geometry) -> View:
        """A region of an image of height x width px, encoded as a square of `side` px. One that covers the image is the
        whole image, which is not padded to a square."""
        if region.is_whole(height, width):
            return cls(Frame.of_model(geometry, height, width, side))
        rows, columns = region.inside(height, width)
        return cls(Frame.of_model(geometry, rows.stop - rows.start, columns.stop - columns.start, side, square=True), region)

    @property
    def shift(self) -> NDArray[np.float64]:
        """What coordinates x, y of the image are reduced by in this view."""
        return np.zeros(2) if self.region is None else self.region.shift

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of an image of this size that are seen."""
        return (slice(0, height), slice(0, width)) if self.region is None else self.region.inside(height, width)

    def grid(self, geometry: Geometry) -> tuple[int, int]:
        """Height and width in patches."""
        return self.frame.padded[0] // geometry.patch, self.frame.padded[1] // geometry.patch

    def tokens(self, geometry: Geometry) -> int:
        height, width = self.grid(geometry)
        return height * width


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """An image and the features of its views.

    Attributes:
        whole: the view of the whole image.
        pixels: RGB `(H, W, 3)` uint8, or the resized tensor that Meta's interface takes, `(1, 3, h, w)`.
        note: a warning for when the whole image is encoded; empty: none.
        encoded: what the family's encoder returned, by view.
    """

    whole: View
    pixels: NDArray[np.uint8] | Tensor
    note: str = ""
    encoded: OrderedDict[View, Any] = field(default_factory=OrderedDict)

    def pixels_of(self, view: View, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> Tensor:
        """Normalised, padded pixels `(1, 3, height, width)` of a view, on `device`."""
        if isinstance(self.pixels, Tensor):
            return view.frame.normalised(self.pixels.to(device).float(), mean, std)
        return view.frame.image_in(self.pixels[view.window(*self.pixels.shape[:2])], mean, std, device)

    def cache(self, view: View, features: Any) -> None:
        self.encoded[view] = features
        while len(self.encoded) > CACHED:
            self.encoded.popitem(last=False)
