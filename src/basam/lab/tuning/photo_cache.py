"""Training photographs in memory: decoded once, reduced to what training can use, least recently used ones evicted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from PIL import Image

from basam.lab.data import Issues, Sample
from basam.lab.evaluation import read_sample

CACHE_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class Picture:
    """A photograph in RGB, the masks of its objects, and ignored pixels (None: none), `(H, W)` bool."""

    image: Image.Image
    masks: tuple[np.ndarray, ...]
    ignored: np.ndarray | None = None

    @property
    def bytes(self) -> int:
        planes = self.masks if self.ignored is None else (*self.masks, self.ignored)
        return 3 * self.image.width * self.image.height + sum(plane.nbytes for plane in planes)


class Pictures:
    """Reads samples; results do not depend on the cache's content.

    Args:
        long_side: larger photographs are reduced to it. None: never.
        cache_bytes: size of the cache.

    Attributes:
        issues: problems of the photographs read so far.
    """

    def __init__(self, long_side: int | None, cache_bytes: int = CACHE_BYTES) -> None:
        self.long_side = long_side
        self.cache_bytes = cache_bytes
        self.pictures: OrderedDict[tuple[str, str], Picture] = OrderedDict()
        self.held = 0
        self.issues = Issues()

    def read(self, sample: Sample) -> Picture:
        """The picture of `sample`. Raises SampleError where it cannot be used."""
        key = str(sample.image_path), sample.id
        if key in self.pictures:
            self.pictures.move_to_end(key)
            return self.pictures[key]
        loaded, pixels = read_sample(sample)
        self.issues.extend(loaded.issues)
        image, ignored = Image.fromarray(pixels), loaded.ignored
        if self.long_side is not None and max(image.size) > self.long_side:
            scale = self.long_side / max(image.size)
            size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
            image = image.resize(size, Image.Resampling.BOX)
            masks = tuple(shrink(instance.mask, size) for instance in loaded.instances)
            ignored = None if ignored is None else half_covered(ignored, size)
        else:
            masks = tuple(instance.mask for instance in loaded.instances)
        picture = Picture(image, masks, ignored)
        self.pictures[key] = picture
        self.held += picture.bytes
        while self.held > self.cache_bytes and len(self.pictures) > 1:
            self.held -= self.pictures.popitem(last=False)[1].bytes
        return picture


def shrink(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at `size` (width, height): pixels that are half object, or the one with most of it where none is."""
    shares = covered(mask, size)
    return shares >= min(128, shares.max() or 1) if shares.any() else mask_of_point(mask, size)


def half_covered(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels at `size` (width, height) of which at least half is in the mask; perhaps none."""
    return covered(mask, size) >= 128


def covered(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The share of every pixel at `size` that is in the mask, 0 to 255."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))


def mask_of_point(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One pixel at the object's place, for an object that vanishes in 8 bits."""
    row, column = np.argwhere(mask).mean(0) * (size[1] / mask.shape[0], size[0] / mask.shape[1])
    small = np.zeros((size[1], size[0]), dtype=bool)
    small[min(int(row), size[1] - 1), min(int(column), size[0] - 1)] = True
    return small
