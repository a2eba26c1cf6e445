"""Samples of more than 8 bits, whole or floating, as 8 bits: what is black and what is white.

In this order:
- pixels without data (NaN, the file's nodata value) count nowhere and become black; infinite ones black or white;
- whole numbers from 0 to 65535: white is stated by the file, otherwise the end of the smallest of 8, 10, 12, 14
  and 16 bits that holds the highest value, because cameras and microscopes store 10, 12 or 14 bits in 16;
- floats from 0 to 1: 1 is white;
- all else (other floats, numbers below 0 or above 65535, and those with a sign where the file names nodata, such as heights)
  is spread from its lowest to its highest value.
Every decision that the file leaves open is noted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basam.files.notes import PhotoNote, UnsupportedImageError, ranged

DEPTHS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class Stated:
    """What a file states about its samples.

    Attributes:
        bits: depth in use where it is less than what they are stored in, or where the file leaves no doubt of it.
        nodata: value of pixels without data.
        white_is_zero: whether 0 is white.
        is_measured: whether they are whole numbers with a sign in a file with nodata, such as heights: no light.
    """

    bits: int | None = None
    nodata: float | None = None
    white_is_zero: bool = False
    is_measured: bool = False


def to_bytes(values: NDArray[np.generic], stated: Stated) -> tuple[NDArray[np.uint8], list[PhotoNote]]:
    """Samples `(H, W)` or `(H, W, C)` of one range as 8 bits of the same shape, and notes on what had to be decided.

    Raises:
        UnsupportedImageError: every pixel is NaN, infinite or nodata.
    """
    missing = without_data(values, stated.nodata)
    limits = finite_range(values, missing)
    if limits is None:
        raise UnsupportedImageError("shows nothing: every pixel of it is NaN, infinite or without data")
    low, high, notes = white_and_black(values.dtype, limits, stated)
    table = values.dtype.kind == "u" and values.dtype.itemsize <= 2 and values.size > 1 << 16
    # For a large picture, a table of all values is quicker.
    numbers = np.arange(int(limits[1]) + 1, dtype=np.float64) if table else values.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = (numbers - low) * (255 / ((high - low) or 1.0))
    scaled = np.rint(np.clip(np.nan_to_num(spread, nan=0.0, posinf=255, neginf=0), 0, 255)).astype(np.uint8)
    out: NDArray[np.uint8] = scaled[np.minimum(values, int(limits[1]))] if table else scaled
    if stated.white_is_zero:
        out = 255 - out
    if missing is not None:
        out[missing] = 0
    return out, notes


def without_data(values: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_] | None:
    """Pixels `(H, W)` that hold NaN, or nodata in every channel; None where there are none."""
    missing = np.isnan(values) if values.dtype.kind == "f" else None
    if missing is not None and missing.ndim == 3:
        missing = missing.any(axis=2)
    if nodata is not None and not np.isnan(nodata):
        # As the samples are stored: -3.4e38 in text is another number than in 32 bits.
        with np.errstate(over="ignore"):
            own = np.array(nodata).astype(values.dtype) if values.dtype.kind == "f" else np.array(nodata)
        equal = values == own
        equal = equal.all(axis=2) if equal.ndim == 3 else equal
        missing = equal if missing is None else missing | equal
    return missing if missing is not None and missing.any() else None


def finite_range(values: NDArray[np.generic], missing: NDArray[np.bool_] | None) -> tuple[float, float] | None:
    """The lowest and the highest number that is data; None where there is none."""
    data = values if missing is None else values[~missing]
    if data.dtype.kind == "f":
        finite = np.isfinite(data)
        data = data if finite.all() else data[finite]
    return (float(data.min()), float(data.max())) if data.size else None


def white_and_black(dtype: np.dtype, limits: tuple[float, float], stated: Stated) -> tuple[float, float, list[PhotoNote]]:
    """The values that become black and white (the other way round where 0 is white)."""
    low, high = limits
    if dtype.kind in "iu" and not stated.is_measured and low >= 0 and high <= 65535:
        if stated.bits is not None and high < 2**stated.bits:
            return 0.0, 2.0**stated.bits - 1, []
        bits = next(depth for depth in DEPTHS if high < 2**depth)
        return 0.0, 2.0**bits - 1, [] if bits == 16 else [ranged(f"whole numbers up to {high:g} were taken as {bits} bits")]
    if dtype.kind == "f" and low >= 0 and high <= 1:
        return 0.0, 1.0, []
    return low, high, [ranged(f"values from {low:g} to {high:g} were spread from black to white")]
