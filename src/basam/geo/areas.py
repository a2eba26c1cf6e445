"""Areas of masks in square metres.

In a projected CRS areas are those of the map, in its unit of length. In longitude and latitude, and in Mercator, whose scale
grows with latitude, they are those of the ellipsoid.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.files import require
from basam.geo.raster import GeoRaster
from basam.masks import RunMask, runs_in_columns

ELLIPSOID = re.compile(r'(?:SPHEROID|ELLIPSOID)\["[^"]*",\s*([\d.]+),\s*([\d.]+)')
MERCATOR = re.compile(r'"(Mercator|Popular_Visualisation_Pseudo_Mercator)[^"]*"', re.IGNORECASE)


def square_metres(raster: GeoRaster, mask: RunMask) -> float | None:
    """Area of a mask of the raster; None if the unit of the CRS is unknown."""
    a, b, c, d, e, f = raster.transform
    pixel = abs(a * e - b * d)
    wkt = raster.crs.to_wkt()
    ellipsoid = ELLIPSOID.search(wkt)
    on_globe = ellipsoid is not None and (raster.crs.is_geographic or MERCATOR.search(wkt) is not None)
    if not on_globe:
        try:
            return mask.area * pixel * float(raster.crs.linear_units_factor[1]) ** 2
        except Exception:  # rasterio raises exceptions of its own for unknown units
            return None
    starts, ends = runs_in_columns(mask)
    column, row = np.divmod(starts, mask.height)
    lengths = ends - starts
    x = a * (column + 0.5) + b * np.stack([row, row + lengths]) + c
    y = d * (column + 0.5) + e * np.stack([row, row + lengths]) + f
    assert ellipsoid is not None
    globe = Ellipsoid.of(float(ellipsoid.group(1)), float(ellipsoid.group(2)))
    if raster.crs.is_geographic:
        unit = float(raster.crs.units_factor[1])  # radians
        return float((lengths * pixel * unit**2 * globe.mean_cell(y[0] * unit, y[1] * unit)).sum())
    latitude = np.radians(to_degrees(raster.crs, x.ravel(), y.ravel())[1]).reshape(y.shape)
    # Along a meridian, y and latitude: cells between both ends of a run; across it, x and longitude are proportional.
    step = np.radians(to_degrees(raster.crs, x[0] + np.hypot(a, b), y[0])[0] - to_degrees(raster.crs, x[0], y[0])[0])
    return float(np.abs(step * (globe.zone(latitude[1]) - globe.zone(latitude[0]))).sum())


def to_degrees(crs: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and latitude `(2, N)` of points."""
    warp = require("rasterio.warp", "geo")
    return np.array(warp.transform(crs, "EPSG:4326", x.tolist(), y.tolist())[:2])


class Ellipsoid:
    """Areas on an ellipsoid of revolution: `axis` in metres, `flattening` inverse."""

    def __init__(self, axis: float, eccentricity: float) -> None:
        self.axis, self.eccentricity = axis, eccentricity

    @classmethod
    def of(cls, axis: float, inverse_flattening: float) -> Ellipsoid:
        flattening = 1 / inverse_flattening if inverse_flattening else 0.0
        return cls(axis, math.sqrt(flattening * (2 - flattening)))

    def zone(self, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """Square metres from the equator to a latitude in radians, a radian of longitude wide (Snyder 1987, equation 3-12)."""
        e, sine = self.eccentricity, np.sin(latitude)
        least = self.axis**2 * (1 - e * e) / 2
        rest = sine if e == 0 else np.arctanh(e * sine) / e
        return least * (sine / (1 - (e * sine) ** 2) + rest)

    def mean_cell(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean square metres of a square radian between two latitudes."""
        width = np.where(high == low, 1e-9, high - low)
        return np.abs((self.zone(low + width) - self.zone(low)) / width)
