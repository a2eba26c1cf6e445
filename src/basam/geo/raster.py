"""A georeferenced raster: its metadata, and its pixels window by window."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.checks import path_of
from basam.errors import MissingFileError
from basam.files import ImageError, PhotoNote, require
from basam.geo.bands import Bands, chosen_bands, colours_of, read, reduced_size, with_transparency
from basam.geo.colours import Colours

# GDAL's block cache in MB; its default is a twentieth of the machine's memory.
CACHE = 128
AS_PHOTO = "--no-geo reads it as a photograph"


@dataclass(frozen=True)
class GeoRaster:
    """A raster with coordinates.

    Attributes:
        path: of its file.
        size: width and height in pixels.
        crs: its coordinate reference system, `rasterio.crs.CRS`.
        transform: from pixels (x, y), (0, 0) being the outer corner of the first one, to coordinates: a, b, c, d, e, f of
            X = a x + b y + c and Y = d x + e y + f. It may be rotated.
        bands: numbers from 1 of the one or three bands that are read.
        colours: their conversion to 8-bit RGB.
    """

    path: Path
    size: tuple[int, int]
    crs: Any
    transform: tuple[float, float, float, float, float, float]
    bands: tuple[int, ...]
    colours: Colours = field(default_factory=Colours)
    ignores_alpha: bool = False  # no band hides pixels
    notes: tuple[PhotoNote, ...] = ()  # as for photographs

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels in memory: 0, because windows are read later."""
        return 0

    @contextmanager
    def reading(self) -> Iterator[RasterReader]:
        """Open it for reading; one thread at a time.

        Raises:
            ImageError: the pixels cannot be read; the message names the file.
        """
        with opened(self.path) as dataset:
            yield RasterReader(dataset, self)


@dataclass(frozen=True)
class RasterReader:
    """An open raster."""

    dataset: Any
    raster: GeoRaster

    @property
    def bands(self) -> Bands:
        return Bands(self.raster.bands, self.raster.ignores_alpha)

    def window(self, x0: int, y0: int, x1: int, y1: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """RGB `(y1 - y0, x1 - x0, 3)` of a rectangle, and which of its pixels hold data `(y1 - y0, x1 - x0)`."""
        samples, valid = read(self.dataset, self.bands, window=((y0, y1), (x0, x1)))
        return self.raster.colours.rgb(samples, valid), valid

    def reduced(self, long_side: int) -> NDArray[np.uint8]:
        """The whole raster `(h, w, 3)` with a long side of at most `long_side` pixels, from overviews if there are any."""
        samples, valid = read(self.dataset, self.bands, out=reduced_size(self.raster.size, long_side))
        return self.raster.colours.rgb(samples, valid)


def open_raster(path: str | Path, bands: Sequence[int] | None = None) -> GeoRaster:
    """A raster that GDAL reads, with a coordinate reference system and a geotransform.

    Args:
        bands: one or three, numbered from 1; None: red, green and blue if they are marked, else all bands but alpha, if these
            are one or three.

    Raises:
        ImageError: it cannot be read, has no coordinates or complex samples, or its bands have to be chosen.
        FileNotFoundError: no such file.
        ImportError: rasterio is missing.
    """
    path = path_of(path)
    if not path.exists():  # GDAL also opens names that are not files, such as URLs
        raise MissingFileError(f"{path}: no such file")
    with opened(path) as dataset:
        check_place(path, dataset)
        chosen = chosen_bands(path, dataset, bands)
        kinds = {
            np.dtype(dataset.dtypes[band - 1]) if "complex_int" not in dataset.dtypes[band - 1] else None for band in chosen
        }
        if any(kind is None or kind.kind not in "iuf" for kind in kinds):
            raise ImageError(f"{path} has samples of {dataset.dtypes[chosen[0] - 1]}: whole numbers or floats are needed")
        known, notes = with_transparency(dataset, chosen)
        colours, place = colours_of(path, dataset, known), tuple(dataset.transform)[:6]
        return GeoRaster(path, (dataset.width, dataset.height), dataset.crs, place, chosen, colours, known.ignores_alpha, notes)


open_scene = open_raster  # its name until version 0.2


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """rasterio's dataset; errors become an ImageError that names the file."""
    rasterio = require("rasterio", "geo")
    with rasterio.Env(GDAL_CACHEMAX=CACHE), warnings.catch_warnings():
        # A raster without coordinates raises an error of ours; preferring nodata to alpha is documented behaviour.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        warnings.simplefilter("ignore", rasterio.errors.NodataShadowWarning)
        try:
            with rasterio.open(path) as dataset:
                yield dataset
        except rasterio.errors.RasterioError as error:
            raise ImageError(f"{path} cannot be read as a raster: {error.__cause__ or error}") from error


def check_place(path: Path, dataset: Any) -> None:
    """Raise for a raster without coordinates."""
    if dataset.gcps[0]:
        raise ImageError(f"{path} has ground control points and no geotransform: warp it first (gdalwarp); {AS_PHOTO}")
    if dataset.crs is None:
        raise ImageError(f"{path} has no coordinate reference system (CRS): assign one (gdal_edit.py -a_srs); {AS_PHOTO}")
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        raise ImageError(f"{path} has a CRS and no geotransform, so its pixels have no coordinates; {AS_PHOTO}")
