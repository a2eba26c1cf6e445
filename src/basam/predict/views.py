"""Views of an image (the whole, a region, or a part of an embedding), and an image with its encoded views.

An image is stored as given; a view of it is encoded when a prompt needs it, and cached for later prompts.
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

# Most cached views; the least recently used one is evicted first.
CACHED = 32


@dataclass(frozen=True)
class View:
    """The part of an image that a prompt is predicted on.

    Attributes:
        frame: sizes of the view: native, resized, padded.
        region: of the image; None: the whole image.
        level: the encoded view, if this one is a part of its embedding; None: this view itself.
        corner: first row and column of such a part, in patches.
    """

    frame: Frame
    region: Region | None = None
    level: View | None = None
    corner: tuple[int, int] = (0, 0)

    @classmethod
    def of_region(cls, region: Region, height: int, width: int, side: int, geometry: Geometry) -> View:
        """A region of an image of height x width px, encoded as a square of `side` px. A region that covers the image is the
        whole image, which is not padded to a square."""
        if region.is_whole(height, width):
            return cls(Frame.of_model(geometry, height, width, side))
        rows, columns = region.inside(height, width)
        return cls(Frame.of_model(geometry, rows.stop - rows.start, columns.stop - columns.start, side, square=True), region)

    @classmethod
    def of_level(cls, level: View, x: float, y: float, geometry: Geometry) -> View:
        """The part of a level's embedding around (x, y) in pixels of the image, as large as the trained grid and moved inside
        the level's; the level itself if its grid is not larger.

        The part's edges are rounded to whole pixels of the image.
        """
        grid, frame, patch = level.grid(geometry), level.frame, geometry.patch
        size = tuple(min(length, geometry.trained_side) for length in grid)
        if size == grid:
            return level
        scales = [resized / original for resized, original in zip(frame.resized, frame.original, strict=True)]
        corner = [
            max(0, min(round(place * scale / patch - length / 2), whole - length))
            for place, scale, length, whole in zip((y, x), scales, size, grid, strict=True)
        ]
        top, left = (round(first * patch / scale) for first, scale in zip(corner, scales, strict=True))
        region = Region(left, top, max(round(length * patch / scale) for length, scale in zip(size, scales, strict=True)))
        rows, columns = region.inside(*frame.original)
        # Beyond the resized image there is only padding.
        resized = [
            min(length * patch, whole - first * patch) for length, whole, first in zip(size, frame.resized, corner, strict=True)
        ]
        own = Frame(
            (rows.stop - rows.start, columns.stop - columns.start),
            (resized[0], resized[1]),
            (size[0] * patch, size[1] * patch),
        )
        return cls(own, region, level, (corner[0], corner[1]))

    @property
    def encoded(self) -> View:
        """The view that the encoder sees."""
        return self.level or self

    @property
    def shift(self) -> NDArray[np.float64]:
        """The x, y to subtract from coordinates of the image to get coordinates in this view."""
        return np.zeros(2) if self.region is None else self.region.shift

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of an image of this size that the view covers."""
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
        pixels: RGB `(H, W, 3)` uint8, or the resized tensor of Meta's interface, `(1, 3, h, w)`.
        note: a warning for when the whole image is encoded; empty: none.
        levels: of a pyramid, finest first; (): without a pyramid.
        encoded: what the family's encoder returned, by view.
    """

    whole: View
    pixels: NDArray[np.uint8] | Tensor
    note: str = ""
    levels: tuple[View, ...] = ()
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
