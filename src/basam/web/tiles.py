"""A photo at full size, 1/2, 1/4, ..., cut into tiles on demand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basam.errors import InputError
from basam.files import encoded

TILE = 512
QUALITY = 88


class TilePyramid:
    """Levels of a photo `(H, W, 3)`, numbered as in OpenSeadragon: the last is the photo itself, every other is half the next.

    Attributes:
        levels: the photo first, then smaller ones down to a single tile.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.levels = [Image.fromarray(pixels)]
        while max(self.levels[-1].size) > TILE:
            self.levels.append(self.levels[-1].reduce(2))

    @property
    def nbytes(self) -> int:
        return sum(4 * level.width * level.height for level in self.levels)  # Pillow stores a pixel in four bytes

    def at_most(self, side: int) -> Image.Image:
        """The photo at a long side of at most `side` px, from the level that is just large enough."""
        level = next((one for one in reversed(self.levels) if max(one.size) >= side), self.levels[0])
        copy = level.copy()
        copy.thumbnail((side, side), Image.Resampling.BILINEAR)
        return copy

    def tile(self, level: int, column: int, row: int) -> bytes:
        """A tile as JPEG; `level` counts from the smallest.

        Raises:
            ValueError: no such tile.
        """
        if not 0 <= level < len(self.levels):
            raise InputError(f"level {level}: there are 0 to {len(self.levels) - 1}")
        image = self.levels[len(self.levels) - 1 - level]
        left, top = column * TILE, row * TILE
        if column < 0 or row < 0 or left >= image.width or top >= image.height:
            raise InputError(f"tile {column}, {row} lies outside level {level} of {image.width} x {image.height} px")
        return as_jpeg(image.crop((left, top, min(left + TILE, image.width), min(top + TILE, image.height))))


def as_jpeg(image: Image.Image) -> bytes:
    return encoded(image, "JPEG", quality=QUALITY)
