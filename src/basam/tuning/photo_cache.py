"""Training photographs in memory: decoded once, reduced to what training can use, the most recent ones kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from basam.data import Issues, Sample

CACHE_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class Picture:
    """A photograph in RGB and the masks of its objects, `(H, W)` bool each."""

    image: Image.Image
    masks: tuple[np.ndarray, ...]

    @property
    def bytes(self) -> int:
        return 3 * self.image.width * self.image.height + sum(mask.nbytes for mask in self.masks)


class Pictures:
    """Reads samples; what it gives does not depend on what is in its cache.

    Args:
        long_side: larger photographs are reduced to it. None: never.
        cache_bytes: how much is kept.

    Attributes:
        issues: what was wrong with the photographs read so far.
    """

    def __init__(self, long_side: int | None, cache_bytes: int = CACHE_BYTES) -> None:
        self.long_side = long_side
        self.cache_bytes = cache_bytes
        self.kept: OrderedDict[tuple[str, str], Picture] = OrderedDict()
        self.held = 0
        self.issues = Issues()

    def read(self, sample: Sample) -> Picture:
        """The picture of `sample`. Raises SampleError where it cannot be used."""
        key = str(sample.image_path), sample.id
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key]
        loaded = sample.load()
        self.issues.extend(loaded.issues)
        image = loaded.image
        masks: Sequence[np.ndarray] = [instance.mask for instance in loaded.instances]
        if self.long_side is not None and max(image.size) > self.long_side:
            scale = self.long_side / max(image.size)
            size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
            image, masks = image.resize(size, Image.Resampling.BOX), [shrink(mask, size) for mask in masks]
        picture = Picture(image, tuple(masks))
        self.kept[key] = picture
        self.held += picture.bytes
        while self.held > self.cache_bytes and len(self.kept) > 1:
            self.held -= self.kept.popitem(last=False)[1].bytes
        return picture


def shrink(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at `size` (width, height): pixels that are half object, or the one with most of it where none is."""
    shares = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))
    return shares >= min(128, shares.max() or 1) if shares.any() else mask_of_point(mask, size)


def mask_of_point(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One pixel where the object is, for an object that vanishes in 8 bits."""
    row, column = np.argwhere(mask).mean(0) * (size[1] / mask.shape[0], size[0] / mask.shape[1])
    small = np.zeros((size[1], size[0]), dtype=bool)
    small[min(int(row), size[1] - 1), min(int(column), size[0] - 1)] = True
    return small
