"""Outlines of a mask as polygons along its pixels' edges, with holes, by shapely (the extra `outputs`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from basam.checks import NotNegative, checked
from basam.errors import InputError
from basam.files import require
from basam.masks.placing import in_columns
from basam.masks.runs import RunMask


@checked
def outlines_of(runs: RunMask, tolerance: NotNegative = 0.0) -> list[Any]:
    """`shapely.Polygon`s of a mask in pixels of the image, (0, 0) being the outer corner of the first pixel; the largest first.

    Args:
        tolerance: no point of the mask's edge is farther than this many pixels from the outline; 0: the pixels' own edges.
            Outlines never cross themselves, and holes are kept.

    Raises:
        ValueError: a tolerance below 0.
        ImportError: shapely is missing.
    """
    if not tolerance >= 0:
        raise InputError(f"tolerance={tolerance}: a number of pixels, 0 or more, is needed")
    shapely = require("shapely", "outputs")
    if not runs.area:
        return []
    starts, ends = in_columns(*runs.spans, runs.height)
    columns, top = np.divmod(starts, runs.height)
    shape = shapely.union_all(shapely.box(columns, top, columns + 1, top + (ends - starts)))
    # Straight edges lose the points between their ends also where nothing else is simplified.
    parts = shapely.get_parts(shapely.simplify(shape, 0.0, preserve_topology=True))
    simple = shapely.get_parts(shapely.simplify(shape, tolerance, preserve_topology=True))
    # What keeps the topology may move a part of a few pixels farther than the tolerance: it stays as it is.
    moved = shapely.hausdorff_distance(shapely.boundary(parts), shapely.boundary(simple))
    return sorted(np.where(moved <= tolerance, simple, parts), key=lambda each: -each.area)
