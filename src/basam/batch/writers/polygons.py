"""Masks as polygons: GeoJSON, SVG and labelme. Coordinates are pixels of the photo, y downwards, (0, 0) its outer corner."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from basam.files import COLOURS, write_json, write_text
from basam.masks import UNNAMED, MaskResult, PhotoResults, outlines_of

# Of labelme's files; those of 5.x and later read masks as well as polygons.
LABELME_VERSION = "5.5.0"
DIGITS = 3


def rings_of(polygon: Any) -> list[list[list[float]]]:
    """The outer ring of a polygon and then its holes; the last point of each is the first again."""
    rings = (polygon.exterior, *polygon.interiors)
    return [np.round(np.asarray(ring.coords, dtype=np.float64), DIGITS).tolist() for ring in rings]


def write_geojson(path: Path, results: PhotoResults) -> None:
    """A `FeatureCollection`, a `MultiPolygon` with holes for each mask."""
    features = [
        {
            "type": "Feature",
            "id": index + 1,
            "properties": {
                "id": one.id,
                "label": one.label,
                "score": one.score,
                "predicted_iou": one.predicted_iou,
                "area": one.runs.area,
            },
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [rings_of(polygon) for polygon in outlines_of(one.runs, results.tolerance)],
            },
        }
        for index, one in enumerate(results.found)
    ]
    write_json(path, {"type": "FeatureCollection", "features": features}, indent=None)


def write_svg(path: Path, results: PhotoResults) -> None:
    """A path for each mask, the larger first, so that smaller ones lie on top; holes by the rule `evenodd`."""
    height, width = results.size
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">']
    for index in sorted(range(len(results.found)), key=lambda each: -results.found[each].runs.area):
        one = results.found[index]
        rings = [ring for polygon in outlines_of(one.runs, results.tolerance) for ring in rings_of(polygon)]
        outline = " ".join("M" + " L".join(f"{x:g},{y:g}" for x, y in ring[:-1]) + " Z" for ring in rings)
        red, green, blue = COLOURS[index % len(COLOURS)]
        lines.append(
            f'<path id="object-{index + 1}" data-id={quoteattr(str(one.id))} data-label={quoteattr(one.label or "")} '
            f'data-score="{one.score:.4f}" fill="#{red:02x}{green:02x}{blue:02x}" fill-opacity="0.6" fill-rule="evenodd" '
            f'd="{outline}"/>'
        )
    write_text(path, (line + "\n" for line in [*lines, "</svg>"]))


def write_labelme(path: Path, results: PhotoResults) -> None:
    """labelme's JSON beside no picture: it names the photo by its path from here. A mask of several parts is a group of
    polygons; one with holes, which labelme's polygons cannot have, is a mask."""
    height, width = results.size
    write_json(
        path,
        {
            "version": LABELME_VERSION,
            "flags": {},
            "shapes": [shape for index, one in enumerate(results.found) for shape in shapes_of(one, index, results.tolerance)],
            "imagePath": os.path.relpath(results.photo.resolve(), path.parent.resolve()),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        },
    )


def shapes_of(one: MaskResult, index: int, tolerance: float) -> list[dict[str, Any]]:
    about = f"id {one.id}, score {one.score:.4f}, predicted IoU {one.predicted_iou:.4f}"
    common = {"label": one.label or UNNAMED, "group_id": index + 1, "description": about, "flags": {}}
    polygons = outlines_of(one.runs, tolerance)
    if not any(polygon.interiors for polygon in polygons):
        return [{**common, "shape_type": "polygon", "points": rings_of(polygon)[0][:-1], "mask": None} for polygon in polygons]
    stream = io.BytesIO()
    Image.fromarray(one.runs.part()).save(stream, "PNG")
    x0, y0, x1, y1 = one.runs.box
    points = [[float(x0), float(y0)], [float(x1 - 1), float(y1 - 1)]]
    return [{**common, "shape_type": "mask", "points": points, "mask": base64.b64encode(stream.getvalue()).decode()}]
