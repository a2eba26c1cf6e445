"""Write objects of a raster as polygons in its coordinate reference system: GeoJSON and GeoPackage."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from basam.checks import path_of
from basam.files import replacing, require, write_text
from basam.geo.areas import square_metres
from basam.geo.finding import RasterObjects
from basam.geo.raster import GeoRaster
from basam.masks import TOLERANCE, MaskResult, outlines_of

# Digits of coordinates beyond those of a pixel's size.
DIGITS = 3
# Objects per batch written to a GeoPackage.
AT_ONCE = 1000
# Columns of a GeoPackage.
FIELDS = {"id": np.int64, "predicted_iou": float, "stability": float, "pixels": np.int64, "area_m2": float}


def write_raster_polygons(path: str | Path, raster: GeoRaster, objects: RasterObjects, tolerance: float = TOLERANCE) -> None:
    """GeoJSON: a `FeatureCollection` with a `MultiPolygon` per object, in coordinates of the raster's CRS, which `crs` names as
    in GeoJSON before RFC 7946. Outer rings run counterclockwise, holes clockwise.

    Args:
        tolerance: pixels by which polygons may deviate from the masks' edges.
    """
    write_text(path, pieces_of_geojson(raster, objects, tolerance))


def pieces_of_geojson(raster: GeoRaster, objects: RasterObjects, tolerance: float) -> Iterator[str]:
    crs = {"type": "name", "properties": {"name": name_of_crs(raster.crs)}}
    yield f'{{"type": "FeatureCollection", "crs": {json.dumps(crs)}, "features": ['
    before = "\n"
    for one in objects:
        polygons = [rings_of(polygon, raster.transform) for polygon in outlines_of(one.runs, tolerance)]
        geometry = {"type": "MultiPolygon", "coordinates": polygons}
        feature = {"type": "Feature", "id": one.id, "properties": properties_of(raster, one), "geometry": geometry}
        yield before + json.dumps(feature, allow_nan=False)
        before = ",\n"
    yield "\n]}\n"


def name_of_crs(crs: Any) -> str:
    """The name of a CRS in GeoJSON and GDAL; WKT if no authority has a number for it."""
    authority = crs.to_authority()
    if authority == ("EPSG", "4326"):
        return "urn:ogc:def:crs:OGC:1.3:CRS84"  # longitude first
    return crs.to_wkt() if authority is None else f"urn:ogc:def:crs:{authority[0]}::{authority[1]}"


def rings_of(polygon: Any, transform: Sequence[float]) -> list[list[list[float]]]:
    """Rings of a polygon, from pixels to coordinates; rounded to a thousandth of a pixel."""
    a, b, c, d, e, f = transform
    digits = max(0, DIGITS - math.floor(math.log10(math.hypot(a, d))))
    rings = []
    for index, ring in enumerate((polygon.exterior, *polygon.interiors)):
        points = np.asarray(ring.coords, dtype=np.float64)
        placed = np.round(points @ np.array([[a, d], [b, e]]) + (c, f), digits)
        x, y = placed.T
        is_counterclockwise = float((x[:-1] - x[0]) @ (y[1:] - y[0]) - (x[1:] - x[0]) @ (y[:-1] - y[0])) > 0
        rings.append((placed if is_counterclockwise == (index == 0) else placed[::-1]).tolist())
    return rings


def properties_of(raster: GeoRaster, one: MaskResult) -> dict[str, Any]:
    """Columns of an object: `area_m2` in square metres, None if the unit of the CRS is unknown."""
    area = square_metres(raster, one.runs)
    scores = {"predicted_iou": one.predicted_iou, "stability": one.stability}
    return {"id": one.id, **scores, "pixels": one.runs.area, "area_m2": None if area is None else round(area, 3)}


def write_raster_package(path: str | Path, raster: GeoRaster, objects: RasterObjects, tolerance: float = TOLERANCE) -> None:
    """GeoPackage: a layer `objects` with the polygons and columns of the GeoJSON file, in the raster's CRS.

    Args:
        tolerance: pixels by which polygons may deviate from the masks' edges.
    """
    shapely, pyogrio = require("shapely", "geo"), require("pyogrio", "geo")
    form = {"layer": "objects", "driver": "GPKG", "geometry_type": "MultiPolygon", "crs": raster.crs.to_wkt()}
    with replacing(path_of(path)) as temporary:
        temporary.unlink()  # GDAL would open the empty file, which is not a GeoPackage
        for start in range(0, max(1, len(objects)), AT_ONCE):
            some = [objects[index] for index in range(start, min(start + AT_ONCE, len(objects)))]
            shapes = [shape_of(raster, one, tolerance) for one in some]
            rows = [properties_of(raster, one) for one in some]
            fields = [np.array([row[name] for row in rows], dtype=kind) for name, kind in FIELDS.items()]
            geometry = np.array(shapely.to_wkb(shapes), dtype=object)
            pyogrio.raw.write(temporary, geometry, fields, list(FIELDS), append=start > 0, **form)


def shape_of(raster: GeoRaster, one: MaskResult, tolerance: float) -> Any:
    """A `shapely.MultiPolygon` in coordinates."""
    shapely = require("shapely", "geo")
    polygons = (rings_of(polygon, raster.transform) for polygon in outlines_of(one.runs, tolerance))
    return shapely.MultiPolygon([shapely.Polygon(shell, holes) for shell, *holes in polygons])
