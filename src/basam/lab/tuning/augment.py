"""Augmentation of training photographs before they are resized: flip, crop, colour. A few lines of numpy and Pillow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from basam.errors import InputError
from basam.masks import tight_box


@dataclass(frozen=True)
class Augment:
    """Attributes:
    flip: share of photographs that are mirrored left to right.
    crop: smallest share of the sides that a crop keeps; 1: no crops.
    colour: brightness, contrast and saturation are changed by a factor within `1 ± colour`.
    """

    flip: float = 0.5
    crop: float = 0.7
    colour: float = 0.2

    def __post_init__(self) -> None:
        if not (0 <= self.flip <= 1 and 0 < self.crop <= 1 and 0 <= self.colour < 1):
            raise InputError(f"{self}: flip in 0..1, crop above 0 and at most 1, colour at least 0 and below 1 are needed")

    @classmethod
    def none(cls) -> Augment:
        """Photographs as they are."""
        return cls(0.0, 1.0, 0.0)

    def share(self, generator: np.random.Generator) -> float:
        """The share of both sides that a crop keeps."""
        return generator.uniform(self.crop, 1.0)

    def place(
        self,
        image: Image.Image,
        mask: np.ndarray,
        share: float,
        generator: np.random.Generator,
        ignored: np.ndarray | None = None,
    ) -> tuple[Image.Image, np.ndarray, np.ndarray | None]:
        """Crop to `share` of both sides and flip image, mask and ignored pixels `(H, W)` bool in the same way.

        The crop is placed at random around the object, or inside the object if that is larger.
        """
        x0, y0, x1, y1 = tight_box(mask).astype(int)
        width, height = cropped(image.width, share), cropped(image.height, share)
        left = start_of(x0, x1, width, image.width, generator)
        top = start_of(y0, y1, height, image.height, generator)
        part = slice(top, top + height), slice(left, left + width)
        image = image.crop((left, top, left + width, top + height))
        if generator.random() < self.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            return image, mask[part][:, ::-1], None if ignored is None else ignored[part][:, ::-1]
        return image, mask[part], None if ignored is None else ignored[part]

    def recolour(self, image: Image.Image, generator: np.random.Generator) -> Image.Image:
        """Other brightness, contrast and saturation."""
        if self.colour:
            for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                image = kind(image).enhance(1 + generator.uniform(-self.colour, self.colour))
        return image


def cropped(side: int, share: float) -> int:
    """Pixels that a crop keeps of a side."""
    return max(1, round(share * side))


def start_of(low: int, high: int, length: int, side: int, generator: np.random.Generator) -> int:
    """Where a crop of `length` out of `side` pixels starts, so that it holds the object's `low` to `high` where it can."""
    first, last = max(0, high - length), min(low, side - length)
    if first <= last:
        return int(generator.integers(first, last + 1))
    return int(min(max((low + high - length) // 2, 0), side - length))
