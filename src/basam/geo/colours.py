"""Bands of a raster as 8-bit RGB, with the same conversion everywhere in the raster.

Bytes stay as they are, and a palette is applied. Other samples are scaled per band from the 2nd percentile (black) to the 98th
(white), as in GIS programs; the percentiles are of the whole raster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DARKEST, BRIGHTEST = 2.0, 98.0


@dataclass(frozen=True)
class Colours:
    """A conversion of samples to 8 bits.

    Attributes:
        limits: per band, the values that become black and white. None: bytes, unchanged.
        palette: `(256, 3)` colours of a single band of bytes.
    """

    limits: tuple[tuple[float, float], ...] | None = None
    palette: NDArray[np.uint8] | None = None

    @classmethod
    def spreading(cls, samples: NDArray[np.generic], valid: NDArray[np.bool_]) -> Colours:
        """Limits from samples `(bands, h, w)` of the whole raster, where `valid` `(h, w)`."""
        limits = []
        for band in samples:
            low, high = np.percentile(band[valid].astype(np.float64), [DARKEST, BRIGHTEST])
            limits.append((float(low), float(high) if high > low else float(low) + 1.0))
        return cls(tuple(limits))

    def rgb(self, samples: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """`(h, w, 3)` from samples `(1 or 3, h, w)`; pixels that are not `valid` `(h, w)` are black."""
        if self.palette is not None:
            out = self.palette[samples[0]]
        else:
            bands = samples if self.limits is None else [self.spread(*pair) for pair in zip(samples, self.limits, strict=True)]
            out = np.stack([bands[0]] * 3 if len(bands) == 1 else list(bands), axis=-1).astype(np.uint8)
        out[~valid] = 0
        return np.ascontiguousarray(out)

    def spread(self, band: NDArray[np.generic], limits: tuple[float, float]) -> NDArray[np.uint8]:
        low, high = limits
        # float32 where it represents every value, to save memory.
        wide = np.float32 if band.dtype.itemsize <= 2 or band.dtype == np.float32 else np.float64
        with np.errstate(invalid="ignore", over="ignore"):
            values = (band.astype(wide) - wide(low)) * wide(255 / (high - low))
        return np.rint(np.clip(np.nan_to_num(values, nan=0.0, posinf=255, neginf=0), 0, 255)).astype(np.uint8)
