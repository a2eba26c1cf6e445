"""Write the objects of a raster in its coordinate reference system, atomically, and without arrays of the raster's size."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.checks import path_of
from basam.errors import FileError, FullDiskError, InputError
from basam.files import COLOURS, distinct_colours, replacing, require, write_image, write_rows
from basam.geo.finding import RasterObjects
from basam.geo.raster import CACHE, GeoRaster
from basam.geo.vectors import properties_of, write_raster_package, write_raster_polygons
from basam.masks import COLUMNS, TOLERANCE, part_of, row_of

RASTER_KINDS = ("overlay", "labels", "geojson", "gpkg", "csv")
DEFAULT_RASTER_KINDS = ("overlay", "labels", "geojson")
ENDINGS = {
    **{"overlay": "_overlay.jpg", "labels": "_labels.tif", "geojson": "_polygons.geojson", "gpkg": "_polygons.gpkg"},
    "csv": "_objects.csv",
}
# Side in pixels of a tile of a label map, and of the area that is painted at a time.
TILE, PAINTED = 256, 1024
# Long side of an overlay in pixels.
OVERLAY_SIDE = 2048
MOST_IN_16_BITS = 65_535

Rectangle = tuple[int, int, int, int]
Writer = Callable[[Any], None]


def check_raster_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Kinds of files in the order of `RASTER_KINDS`, without duplicates.

    Raises:
        ValueError: a kind that does not exist for rasters.
        ImportError: shapely is needed and missing.
    """
    for kind in kinds:
        if kind not in RASTER_KINDS:
            raise InputError(f"--write {kind}: of a georeferenced raster there are {', '.join(RASTER_KINDS)}")
    for module, of_kinds in (("shapely", {"geojson", "gpkg"}), ("pyogrio", {"gpkg"})):
        if of_kinds & set(kinds):
            require(module, "geo")
    return tuple(kind for kind in RASTER_KINDS if kind in kinds)


def raster_files(kinds: Sequence[str], stem: str | Path) -> list[str]:
    """Names of a raster's files below the folder of results."""
    return [f"{stem}{ENDINGS[kind]}" for kind in kinds]


def raster_writers(
    kinds: Sequence[str], stem: str | Path, raster: GeoRaster, objects: RasterObjects, tolerance: float = TOLERANCE
) -> dict[str, Writer]:
    """A function per file of a raster, by its name, as `ResultFolder.write` takes them.

    Raises:
        ValueError: a kind that does not exist for rasters.
    """
    check_raster_kinds(kinds)
    writers: dict[str, Writer] = {
        "overlay": partial(write_raster_overlay, raster=raster, objects=objects),
        "labels": partial(write_raster_labels, raster=raster, objects=objects),
        "geojson": partial(write_raster_polygons, raster=raster, objects=objects, tolerance=tolerance),
        "gpkg": partial(write_raster_package, raster=raster, objects=objects, tolerance=tolerance),
        "csv": partial(write_raster_table, raster=raster, objects=objects),
    }
    return {name: writers[kind] for kind, name in zip(kinds, raster_files(kinds, stem), strict=True)}


def tiles_of(raster: GeoRaster, objects: RasterObjects) -> Iterator[tuple[Rectangle, NDArray[np.uint32]]]:
    """A map of the objects' numbers, 0 for the background and smaller objects on top, rectangle by rectangle."""
    width, height = raster.size
    for y0 in range(0, height, PAINTED):
        for x0 in range(0, width, PAINTED):
            x1, y1 = min(x0 + PAINTED, width), min(y0 + PAINTED, height)
            labels = np.zeros((y1 - y0, x1 - x0), dtype=np.uint32)
            for index in objects.within(x0, y0, x1, y1).tolist():
                bx0, by0, bx1, by1 = objects.boxes[index].tolist()
                left, top, right, bottom = max(x0, bx0), max(y0, by0), min(x1, bx1), min(y1, by1)
                inside = part_of(objects[index].runs, left, top, right, bottom)
                labels[top - y0 : bottom - y0, left - x0 : right - x0][inside] = index + 1
            yield (x0, y0, x1, y1), labels


def write_raster_labels(path: str | Path, raster: GeoRaster, objects: RasterObjects) -> None:
    """A GeoTIFF of the objects' numbers in the raster's CRS: 16 bits, above 65,535 objects 32; its nodata value is 0, the
    background. It has overviews, and up to 65,535 objects a colour table.

    Raises:
        OSError: it cannot be written, or reading it back gives something else.
    """
    rasterio = require("rasterio", "geo")
    path = path_of(path)
    width, height = raster.size
    kind = np.uint16 if len(objects) <= MOST_IN_16_BITS else np.uint32
    form = {"driver": "GTiff", "compress": "deflate", "tiled": True, "blockxsize": TILE, "blockysize": TILE}
    place = {"crs": raster.crs, "transform": rasterio.Affine(*raster.transform), "BIGTIFF": "IF_SAFER", "nodata": 0}
    sums: list[tuple[Any, int]] = []
    with replacing(path) as temporary, rasterio.Env(GDAL_CACHEMAX=CACHE):
        try:
            with rasterio.open(temporary, "w", height=height, width=width, count=1, dtype=kind, **form, **place) as file:
                for (x0, y0, x1, y1), labels in tiles_of(raster, objects):
                    window = ((y0, y1), (x0, x1))
                    file.write(labels.astype(kind), 1, window=window)
                    sums.append((window, zlib.crc32(labels.astype(kind).tobytes())))
                if kind is np.uint16:
                    file.write_colormap(1, colour_table(objects))
            levels = [2**level for level in range(1, 32) if max(width, height) > TILE * 2 ** (level - 1)]
            if levels:
                with rasterio.open(temporary, "r+") as file:
                    file.build_overviews(levels, rasterio.enums.Resampling.nearest)
            # GDAL writes blocks when the file is closed, and does not report errors then.
            with rasterio.open(temporary) as file:
                whole = all(zlib.crc32(file.read(1, window=window).tobytes()) == expected for window, expected in sums)
        except rasterio.errors.RasterioError as error:
            raise unwritten(path, str(error.__cause__ or error)) from error
        if not whole:
            raise unwritten(path, "reading it back gives something else")


def colour_table(objects: RasterObjects) -> dict[int, tuple[int, int, int, int]]:
    """Red, green, blue and alpha of the objects' numbers; 0, the background, is transparent."""
    colours = distinct_colours(objects.boxes.tolist())
    return {0: (0, 0, 0, 0)} | {number: (*COLOURS[colour], 255) for number, colour in enumerate(colours, start=1)}


def unwritten(path: Path, reason: str) -> FileError:
    """The error for a raster that GDAL could not write, without giving a reason."""
    if shutil.disk_usage(path.parent).free < PAINTED * PAINTED * 4:
        return FullDiskError(f"no room to write {path}: {reason}")
    return FileError(f"cannot write {path}: {reason}")


def write_raster_table(path: str | Path, raster: GeoRaster, objects: RasterObjects) -> None:
    """CSV as for photographs, boxes and points in pixels of the raster; `area_m2` is in square metres."""
    rows = ([str(raster.path), one.id, *row_of(one), properties_of(raster, one)["area_m2"]] for one in objects)
    write_rows(path, (*COLUMNS, "area_m2"), rows)


def write_raster_overlay(path: str | Path, raster: GeoRaster, objects: RasterObjects) -> None:
    """The raster with the objects tinted and outlined, as JPEG, reduced to a long side of 2048 px."""
    with raster.reading() as reader:
        pixels = reader.reduced(OVERLAY_SIDE)
    height, width = pixels.shape[:2]
    # Positions in the raster of the pixels' centres.
    columns, rows = (
        ((np.arange(count) + 0.5) * (whole / count)).astype(np.int64)
        for count, whole in zip((width, height), raster.size, strict=True)
    )
    labels = np.zeros((height, width), dtype=np.uint32)
    for (x0, y0, x1, y1), tile in tiles_of(raster, objects):
        across, down = ((centres >= low) & (centres < high) for centres, low, high in ((columns, x0, x1), (rows, y0, y1)))
        labels[np.ix_(down, across)] = tile[np.ix_(rows[down] - y0, columns[across] - x0)]
    write_image(path, tinted(pixels, labels, colour_table(objects)))


def tinted(
    pixels: NDArray[np.uint8], labels: NDArray[np.uint32], table: dict[int, tuple[int, int, int, int]]
) -> NDArray[np.uint8]:
    """Pixels `(h, w, 3)` in the colours of their labels `(h, w)`, with a white line between labels."""
    colours = np.array([table[number][:3] for number in range(len(table))], dtype=np.uint16)[labels]
    out = np.where((labels > 0)[..., None], (pixels.astype(np.uint16) + colours) // 2, pixels).astype(np.uint8)
    same_below, same_beside = labels[:-1] == labels[1:], labels[:, :-1] == labels[:, 1:]
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:-1] |= ~same_below
    edge[:, :-1] |= ~same_beside
    out[edge] = 255
    return out
