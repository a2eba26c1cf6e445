"""Pictures with ground truth, by the regime they belong to: `detail` and `scene` are generated, the others are photographs.

A generated unit is a number: unit i is the scene of domain i mod 5 with seed FIRST_SEED + i div 5. Its `detail` pictures are
that scene with more or fewer pixels; its `scene` pictures are mosaics whose first tile is that scene at the trained size.
Units of even seeds are for choosing, those of odd seeds for reporting.

A photograph is reduced to at most LARGEST pixels first, masks with it, and measured at that size: one ground truth for all the
sizes it is encoded at, at a fixed cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from basam.files import read_image
from basam.lab.data import Dataset, Issue, SampleError, open_dataset
from basam.lab.scenes import DOMAINS, mosaic, render

FIRST_SEED = 5_000_000  # training draws seeds below 1,000,000
TRAINED = 256  # pixels; the side of a tile of a mosaic
LARGEST = 1024  # pixels
INSTANCES = 6  # a picture at most
SMALLEST_AREA = 32 * 32  # pixels of a photograph's object, COCO's own limit of "small"
PHOTOS = {
    "coco": ("coco", "COCO", "val2017"),
    "isic": ("isic2017", "ISIC2017", "test"),
    "duts": ("duts", "standin-DUTS", "DUTS-TE"),
    "dis": ("dis5k", "standin-DIS5K", "DIS-TE"),
}
REGIMES = ("detail", "scene", *PHOTOS)


@dataclass(frozen=True, eq=False)
class Picture:
    """image `(H, W, 3)` uint8; masks by instance id, `(H, W)` bool, none empty."""

    sample: str
    image: np.ndarray
    masks: dict[str, np.ndarray]


def sample_id(regime: str, unit: int) -> str:
    """Of a generated unit, such as `detail/thin/5000003`."""
    return f"{regime}/{DOMAINS[unit % len(DOMAINS)]}/{FIRST_SEED + unit // len(DOMAINS)}"


def for_choosing(sample: str) -> bool:
    """Whether a generated sample is of the half that settings are chosen on."""
    return int(sample.rsplit("/", 1)[1]) % 2 == 0


def generated(sample: str, size: int) -> Picture:
    """The picture of a generated sample with sides of `size` pixels."""
    regime, domain, seed = sample.split("/")
    scene = mosaic(int(seed), size, domain, size // TRAINED) if regime == "scene" else render(int(seed), size, domain)
    return Picture(sample, scene.image, {str(i): scene.masks[i] for i in picked(len(scene.masks), int(seed))})


def picked(count: int, seed: int) -> list[int]:
    """INSTANCES of `count` instances, the same for the same seed; all where there are fewer."""
    order = np.random.default_rng(seed).permutation(count)
    return sorted(order[:INSTANCES].tolist())


@lru_cache
def photos_of(regime: str, data: Path) -> Dataset:
    kind, folder, split = PHOTOS[regime]
    return open_dataset(kind, data / folder, split, name=folder if folder.startswith("standin-") else None)


@lru_cache
def photo_sides(regime: str, data: Path) -> dict[str, int]:
    """Long side in pixels of every photograph, by sample."""
    dataset = photos_of(regime, data)
    return {f"{regime}/{sample.id}": max(Image.open(sample.image_path).size) for sample in dataset}


def photo(sample: str, data: Path) -> Picture:
    """The photograph of a sample.

    Raises:
        SampleError: it cannot be read, or has no object of SMALLEST_AREA pixels.
    """
    regime, name = sample.split("/", 1)
    found = next(one for one in photos_of(regime, data) if one.id == name)
    loaded = found.load()
    large = [instance for instance in loaded.instances if instance.mask.sum() >= SMALLEST_AREA]
    masks = {large[index].id: reduced_mask(large[index].mask) for index in picked(len(large), seed=0)}
    masks = {name: mask for name, mask in masks.items() if mask.any()}
    if not masks:
        raise SampleError(Issue("no-object", str(found.image_path), f"no object of {SMALLEST_AREA} pixels"))
    return Picture(sample, np.asarray(reduced(Image.fromarray(read_image(loaded.image)))), masks)


def reduced(image: Image.Image) -> Image.Image:
    """The image with a long side of at most LARGEST pixels; every pixel is the mean of those it covers."""
    scale = LARGEST / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def reduced_mask(mask: np.ndarray) -> np.ndarray:
    """The pixels that the mask covers by at least one half."""
    return np.asarray(reduced(Image.fromarray(mask.astype(np.uint8) * 255))) >= 128
