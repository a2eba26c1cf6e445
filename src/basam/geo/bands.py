"""Bands of a raster: which are red, green and blue, how samples are scaled to 8 bits, and which pixels hold data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from basam.files import ImageError, PhotoNote
from basam.geo.colours import Colours

# Approximate number of pixels, spread over the whole raster, that colour limits are computed from.
SAMPLED = 1_000_000
# Least share of fully transparent or fully opaque pixels in an alpha band. Near infrared takes all values.
BINARY = 0.95


class Bands(NamedTuple):
    """`numbers` from 1 of the one or three bands that are read; `ignores_alpha`: no band hides pixels."""

    numbers: tuple[int, ...]
    ignores_alpha: bool = False


def chosen_bands(path: Path, dataset: Any, bands: Sequence[int] | None) -> tuple[int, ...]:
    """Numbers of the one or three bands to read: the given ones, else red, green and blue, else all but alpha."""
    named = [interpretation.name for interpretation in dataset.colorinterp]
    colours = [number for number, name in enumerate(named, start=1) if name != "alpha"]
    if bands is not None:
        if len(bands) not in (1, 3) or not all(1 <= band <= dataset.count for band in bands):
            text = ",".join(map(str, bands))
            raise ImageError(f"{path} has bands 1 to {dataset.count}: bands {text} (--bands) must be one or three of them")
        return tuple(bands)
    if {"red", "green", "blue"} <= set(named):
        return tuple(named.index(name) + 1 for name in ("red", "green", "blue"))
    if len(colours) not in (1, 3):
        advice = "three of them (--bands 3,2,1) or one (--bands 1)" if len(colours) > 3 else "one of them (--bands 1)"
        raise ImageError(f"{path} has {len(colours)} bands: choose {advice}")
    return tuple(colours)


def with_transparency(dataset: Any, numbers: tuple[int, ...]) -> tuple[Bands, tuple[PhotoNote, ...]]:
    """The bands, with `ignores_alpha` set, and notes.

    GDAL and rasterio mark the fourth of four byte bands as alpha unless the writer states otherwise, so near infrared is often
    marked so. A real alpha band is 0 or opaque nearly everywhere, or hides pixels without a picture.
    """
    alpha = next((number for number, kind in enumerate(dataset.colorinterp, start=1) if kind.name == "alpha"), None)
    flags = {flag.name for flag in dataset.mask_flag_enums[numbers[0] - 1]}
    if alpha is None or "alpha" not in flags:
        return Bands(numbers), ()
    if alpha in numbers:
        return Bands(numbers, ignores_alpha=True), ()
    size = sampled_size(dataset)
    values = dataset.read(alpha, out_shape=size)
    colours = dataset.read(list(numbers), out_shape=(len(numbers), *size))
    hidden = values == 0
    is_empty = not hidden.any() or all(np.ptp(band[hidden]) == 0 for band in colours)
    opaque = values == values.max()
    has_end = values.max() in (1, np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else True
    if has_end and (hidden | opaque).mean() >= BINARY:
        if is_empty:
            return Bands(numbers), ()
        text = f"its band {alpha} is read as transparency and hides {hidden.mean():.0%} of it, which is not empty"
        advice = f"gdal_edit.py -colorinterp_{alpha} undefined makes it a band like the others"
        return Bands(numbers), (PhotoNote("hidden", f"{text}; {advice}"),)
    if hidden.any() and is_empty:
        return Bands(numbers), ()
    text = f"its band {alpha} is marked as transparency but holds a picture, such as near infrared: it hides no pixel"
    return Bands(numbers, ignores_alpha=True), (PhotoNote("other", text),)


def colours_of(path: Path, dataset: Any, bands: Bands) -> Colours:
    """The conversion of the bands to 8 bits."""
    first = bands.numbers[0]
    is_negative = dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    if all(dataset.dtypes[band - 1] == "uint8" for band in bands.numbers):
        if len(bands.numbers) == 1 and dataset.colorinterp[first - 1].name == "palette":
            table = dataset.colormap(first)
            return Colours(palette=np.array([table.get(value, (0, 0, 0))[:3] for value in range(256)], dtype=np.uint8))
        depths = [int(dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", 8)) for band in bands.numbers]
        if set(depths) == {8} and not is_negative:
            return Colours()
        limits = tuple((0.0, 2.0**bits - 1) for bits in depths)
        return Colours(tuple((white, black) for black, white in limits) if is_negative else limits)
    samples, valid = read(dataset, bands, out=sampled_size(dataset))
    if not valid.any():
        raise ImageError(f"{path} shows nothing: every pixel of it is NaN or without data")
    colours = Colours.spreading(samples, valid)
    return Colours(tuple((white, black) for black, white in colours.limits or ())) if is_negative else colours


def read(
    dataset: Any, bands: Bands, *, window: Any = None, out: tuple[int, int] | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Samples `(bands, h, w)`, and the pixels with data `(h, w)`: not nodata in at least one band, and not NaN in any."""
    numbers = list(bands.numbers)
    shape = None if out is None else (len(numbers), *out)
    samples = dataset.read(numbers, window=window, out_shape=shape)
    if bands.ignores_alpha:
        holding = [sample != nodata_of(dataset, band) for band, sample in zip(numbers, samples, strict=True)]
        valid = np.logical_or.reduce(holding)
    else:
        valid = (dataset.read_masks(numbers, window=window, out_shape=shape) > 0).any(axis=0)
    if samples.dtype.kind == "f":
        valid &= np.isfinite(samples).all(axis=0)
    return samples, valid


def nodata_of(dataset: Any, band: int) -> float:
    """The nodata value of a band; NaN: none."""
    value = dataset.nodatavals[band - 1]
    return math.nan if value is None else value


def sampled_size(dataset: Any) -> tuple[int, int]:
    """Height and width of about `SAMPLED` pixels of the whole raster."""
    width, height = dataset.width, dataset.height
    side = max(1, round(max(width, height) * min(1.0, (SAMPLED / (width * height)) ** 0.5)))
    return reduced_size((width, height), side)


def reduced_size(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """Height and width of a raster of this width and height, reduced to a long side of at most `long_side` pixels."""
    width, height = size
    share = min(1.0, long_side / max(width, height))
    return max(1, round(height * share)), max(1, round(width * share))
