"""A georeferenced raster: what it is, and its pixels window by window."""

from __future__ import annotations

import math
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
from basam.geo.colours import Colours

# Pixels, about, that limits of colours are worked out from; they are spread over the whole raster.
SAMPLED = 1_000_000
# Of GDAL's blocks in memory, in MB; without it, GDAL takes a twentieth of the machine's memory.
CACHE = 128
AS_PHOTO = "--no-geo reads it as a photograph"


@dataclass(frozen=True)
class GeoRaster:
    """A raster with a place on the earth.

    Attributes:
        path: of its file.
        size: width and height in pixels.
        crs: its coordinate reference system, `rasterio.crs.CRS`.
        transform: from pixels (x, y), (0, 0) being the outer corner of the first one, to coordinates: a, b, c, d, e, f of
            X = a x + b y + c and Y = d x + e y + f. It may be rotated.
        bands: numbers from 1 of the one or three bands that are looked at.
        colours: how they become 8-bit RGB.
    """

    path: Path
    size: tuple[int, int]
    crs: Any
    transform: tuple[float, float, float, float, float, float]
    bands: tuple[int, ...]
    colours: Colours = field(default_factory=Colours)
    notes: tuple[PhotoNote, ...] = ()  # as a photograph has them

    @property
    def nbytes(self) -> int:
        """Of its pixels in memory: none, until a window is read."""
        return 0

    @contextmanager
    def reading(self) -> Iterator[RasterReader]:
        """Its pixels; one thread at a time.

        Raises:
            ImageError: they cannot be read; the message names the file.
        """
        with opened(self.path) as dataset:
            yield RasterReader(dataset, self)


@dataclass(frozen=True)
class RasterReader:
    """An open raster."""

    dataset: Any
    raster: GeoRaster

    def window(self, x0: int, y0: int, x1: int, y1: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """RGB `(y1 - y0, x1 - x0, 3)` of a rectangle, and which of its pixels hold data `(y1 - y0, x1 - x0)`."""
        samples, valid = read(self.dataset, self.raster.bands, window=((y0, y1), (x0, x1)))
        return self.raster.colours.rgb(samples, valid), valid

    def reduced(self, long_side: int) -> NDArray[np.uint8]:
        """The whole raster `(h, w, 3)` with a long side of at most so many pixels, from its overviews where it has them."""
        samples, valid = read(self.dataset, self.raster.bands, out=reduced_size(self.raster.size, long_side))
        return self.raster.colours.rgb(samples, valid)


def open_raster(path: str | Path, bands: Sequence[int] | None = None) -> GeoRaster:
    """A raster that GDAL reads, with a coordinate reference system and a geotransform.

    Args:
        bands: one or three, numbered from 1; None: its one or three bands that are no transparency, red, green, blue in this
            order where it names them so.

    Raises:
        ImageError: it cannot be read, has no place on the earth, complex samples, or bands of which some must be chosen.
        FileNotFoundError: no such file.
        ImportError: rasterio is missing.
    """
    path = path_of(path)
    if not path.exists():  # GDAL takes other names than those of files, such as addresses
        raise MissingFileError(f"{path}: no such file")
    with opened(path) as dataset:
        check_place(path, dataset)
        chosen = chosen_bands(path, dataset, bands)
        kinds = {
            np.dtype(dataset.dtypes[band - 1]) if "complex_int" not in dataset.dtypes[band - 1] else None for band in chosen
        }
        if any(kind is None or kind.kind not in "iuf" for kind in kinds):
            raise ImageError(f"{path} has samples of {dataset.dtypes[chosen[0] - 1]}: whole numbers or floats are needed")
        colours, place = colours_of(path, dataset, chosen), tuple(dataset.transform)[:6]
        notes = () if bands is None else notes_on(dataset, chosen)
        return GeoRaster(path, (dataset.width, dataset.height), dataset.crs, place, chosen, colours, notes)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """rasterio's dataset; what goes wrong is an ImageError that names the file."""
    rasterio = require("rasterio", "geo")
    with rasterio.Env(GDAL_CACHEMAX=CACHE), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # it is refused in our own words
        try:
            with rasterio.open(path) as dataset:
                yield dataset
        except rasterio.errors.RasterioError as error:
            raise ImageError(f"{path} cannot be read as a raster: {error.__cause__ or error}") from error


def check_place(path: Path, dataset: Any) -> None:
    """Refuse a raster of which nobody knows where it lies."""
    if dataset.gcps[0]:
        raise ImageError(f"{path} has ground control points and no geotransform: warp it first (gdalwarp); {AS_PHOTO}")
    if dataset.crs is None:
        raise ImageError(f"{path} has no coordinate reference system (CRS): give it one (gdal_edit.py -a_srs); {AS_PHOTO}")
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        raise ImageError(f"{path} has a CRS and no geotransform, so that its pixels have no place; {AS_PHOTO}")


def chosen_bands(path: Path, dataset: Any, bands: Sequence[int] | None) -> tuple[int, ...]:
    named = [each.name for each in dataset.colorinterp]
    colours = [number for number, name in enumerate(named, start=1) if name != "alpha"]
    if bands is not None:
        if len(bands) not in (1, 3) or not all(1 <= band <= dataset.count for band in bands):
            text = ",".join(map(str, bands))
            raise ImageError(f"{path} has bands 1 to {dataset.count}: bands {text} (--bands) must be one or three of them")
        return tuple(bands)
    if len(colours) not in (1, 3):
        advice = "three of them (--bands 3,2,1) or one (--bands 1)" if len(colours) > 3 else "one of them (--bands 1)"
        raise ImageError(f"{path} has {len(colours)} bands: choose {advice}")
    if len(colours) == 3 and {"red", "green", "blue"} <= set(named):
        return tuple(named.index(name) + 1 for name in ("red", "green", "blue"))
    return tuple(colours)


def alpha_of(dataset: Any) -> int | None:
    """The number of the band that says what is transparent."""
    return next((number for number, each in enumerate(dataset.colorinterp, start=1) if each.name == "alpha"), None)


def notes_on(dataset: Any, bands: tuple[int, ...]) -> tuple[PhotoNote, ...]:
    """GDAL takes the last band of four for transparency where the file does not say what it is, as of near infrared."""
    alpha = alpha_of(dataset)
    if alpha is None or alpha in bands:
        return ()
    text = f"its band {alpha} is read as transparency: what is 0 there belongs to no object"
    return (PhotoNote("hidden", f"{text}; gdal_edit.py -colorinterp_{alpha} undefined makes it a band like the others"),)


def colours_of(path: Path, dataset: Any, bands: tuple[int, ...]) -> Colours:
    """How the bands become 8 bits."""
    if all(dataset.dtypes[band - 1] == "uint8" for band in bands):
        if len(bands) == 1 and dataset.colorinterp[bands[0] - 1].name == "palette":
            table = dataset.colormap(bands[0])
            return Colours(palette=np.array([table.get(value, (0, 0, 0))[:3] for value in range(256)], dtype=np.uint8))
        return Colours()
    width, height = dataset.width, dataset.height
    side = max(1, round(max(width, height) * min(1.0, (SAMPLED / (width * height)) ** 0.5)))
    samples, valid = read(dataset, bands, out=reduced_size((width, height), side))
    if not valid.any():
        raise ImageError(f"{path} shows nothing: every pixel of it is NaN or without data")
    return Colours.spreading(samples, valid)


def read(
    dataset: Any, bands: tuple[int, ...], *, window: Any = None, out: tuple[int, int] | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Samples `(bands, h, w)`, and which pixels hold data `(h, w)`: nodata in no band at least, and NaN in none."""
    shape = None if out is None else (len(bands), *out)
    samples = dataset.read(list(bands), window=window, out_shape=shape)
    if alpha_of(dataset) in bands:  # chosen to be looked at, so that it says nothing about transparency
        holding = [each != nodata_of(dataset, band) for band, each in zip(bands, samples, strict=True)]
        valid = np.logical_or.reduce(holding)
    else:
        valid = (dataset.read_masks(list(bands), window=window, out_shape=shape) > 0).any(axis=0)
    if samples.dtype.kind == "f":
        valid &= np.isfinite(samples).all(axis=0)
    return samples, valid


def nodata_of(dataset: Any, band: int) -> float:
    """The value of a band that stands for no data; NaN: none does."""
    value = dataset.nodatavals[band - 1]
    return math.nan if value is None else value


def reduced_size(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """Height and width of a raster of this width and height with a long side of at most so many pixels."""
    width, height = size
    share = min(1.0, long_side / max(width, height))
    return max(1, round(height * share)), max(1, round(width * share))
