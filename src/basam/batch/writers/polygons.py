"""Write masks as polygons: GeoJSON, SVG and labelme. Coordinates are pixels of the photo, y downwards, (0, 0) its outer
corner."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basam.files import COLOURS, distinct_colours, encoded, write_json, write_text
from basam.masks import UNNAMED, MaskResult, PhotoResults, RunMask, outlines_of

# Version in labelme files; 5.x and later read masks as well as polygons.
LABELME_VERSION = "5.5.0"
DIGITS = 3


def rings_of(polygon: Any) -> list[list[list[float]]]:
    """The outer ring of a polygon and then its holes; their last point repeats the first."""
    rings = (polygon.exterior, *polygon.interiors)
    return [np.round(np.asarray(ring.coords, dtype=np.float64), DIGITS).tolist() for ring in rings]


def coco_polygons(runs: RunMask, tolerance: float) -> list[list[float]]:
    """A list x0, y0, x1, y1, ... per part of a mask, as in COCO. Holes, which COCO's polygons lack, are joined to the outer
    ring by a slit of no width."""
    return [joined(rings_of(polygon)).ravel().tolist() for polygon in outlines_of(runs, tolerance)]


def joined(rings: Sequence[Sequence[Sequence[float]]]) -> NDArray[np.float64]:
    """One ring `(N, 2)`, not closed, from several: lines, there and back, join them where they are nearest. By the even-odd
    rule it covers the same area."""
    whole, *rest = (np.asarray(ring, dtype=np.float64)[:-1] for ring in rings)
    for ring in rest:
        nearest = [(float(distance.min()), int(distance.argmin())) for distance in (squared(point, whole) for point in ring)]
        start = min(range(len(ring)), key=lambda index: nearest[index][0])
        place = nearest[start][1]
        around = np.concatenate([ring[start:], ring[: start + 1]])
        whole = np.concatenate([whole[: place + 1], around, whole[place:]])
    return whole


def squared(point: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.square(points - point).sum(-1)


def write_yolo(path: Path, results: PhotoResults, class_of: Callable[[MaskResult], int]) -> None:
    """A line per mask in Ultralytics' format: the number of its class, and its outline in shares of the photo's sides; parts
    and holes are joined to one ring. Empty masks have no line."""
    height, width = results.size
    lines = []
    for one in results.masks:
        rings = [ring for polygon in outlines_of(one.runs, results.tolerance) for ring in rings_of(polygon)]
        if rings:
            points = joined(rings) / [width, height]
            lines.append(" ".join([str(class_of(one)), *(f"{value:.6g}" for value in points.ravel())]) + "\n")
    write_text(path, lines)


def write_geojson(path: Path, results: PhotoResults) -> None:
    """A `FeatureCollection` with a `MultiPolygon` per mask, with holes."""
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
        for index, one in enumerate(results.masks)
    ]
    write_json(path, {"type": "FeatureCollection", "features": features}, indent=None)


def write_svg(path: Path, results: PhotoResults) -> None:
    """A path per mask, larger masks first, so that smaller ones are on top; holes by the rule `evenodd`."""
    height, width = results.size
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">']
    colours = distinct_colours([one.runs.box for one in results.masks])
    for index in sorted(range(len(results.masks)), key=lambda index: -results.masks[index].runs.area):
        one = results.masks[index]
        rings = [ring for polygon in outlines_of(one.runs, results.tolerance) for ring in rings_of(polygon)]
        outline = " ".join("M" + " L".join(f"{x:g},{y:g}" for x, y in ring[:-1]) + " Z" for ring in rings)
        red, green, blue = COLOURS[colours[index]]
        lines.append(
            f'<path id="object-{index + 1}" data-id={quoteattr(str(one.id))} data-label={quoteattr(one.label or "")} '
            f'data-score="{one.score:.4f}" fill="#{red:02x}{green:02x}{blue:02x}" fill-opacity="0.6" fill-rule="evenodd" '
            f'd="{outline}"/>'
        )
    write_text(path, (line + "\n" for line in [*lines, "</svg>"]))


def write_labelme(path: Path, results: PhotoResults) -> None:
    """labelme's JSON; it names the photo by its relative path. A mask of several parts is a group of polygons; one with holes,
    which labelme's polygons cannot have, is a mask."""
    height, width = results.size
    write_json(
        path,
        {
            "version": LABELME_VERSION,
            "flags": {},
            "shapes": [shape for index, one in enumerate(results.masks) for shape in shapes_of(one, index, results.tolerance)],
            "imagePath": os.path.relpath(results.photo, path.parent),
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
    mask = base64.b64encode(encoded(Image.fromarray(one.runs.part()), "PNG")).decode()
    x0, y0, x1, y1 = one.runs.box
    points = [[float(x0), float(y0)], [float(x1 - 1), float(y1 - 1)]]
    return [{**common, "shape_type": "mask", "points": points, "mask": mask}]
