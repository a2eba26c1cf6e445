"""Outlines of a mask as polygons along its pixels' edges, with holes, by shapely (the extra `outputs`)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.errors import InputError
from basam.files import require
from basam.masks.placing import runs_in_columns
from basam.masks.runs import RunMask

# Shares of the tolerance to simplify by, tried until all polygons are valid. The first nearly always is.
SHARES = (1.0, 0.75, 0.5, 0.25)


def outlines_of(runs: RunMask, tolerance: float = 0.0) -> list[Any]:
    """`shapely.Polygon`s of a mask in pixels of the image, (0, 0) being the outer corner of the first pixel; the largest first.

    Args:
        tolerance: no point of the mask's edge is farther than this many pixels from the outline; 0: the pixels' own edges.
            Outlines never cross themselves, and holes stay.

    Raises:
        ValueError: a tolerance below 0.
        ImportError: shapely is missing.
    """
    if not tolerance >= 0:
        raise InputError(f"tolerance={tolerance}: a number of pixels, 0 or more, is needed")
    shapely = require("shapely", "outputs")
    if not runs.area:
        return []
    starts, ends = runs_in_columns(runs)
    columns, top = np.divmod(starts, runs.height)
    shape = shapely.union_all(shapely.box(columns, top, columns + 1, top + (ends - starts)))
    # Points on straight edges are dropped even without a tolerance.
    parts = shapely.get_parts(shapely.simplify(shape, 0.0, preserve_topology=True))
    return sorted(simplified(parts, tolerance) if tolerance else parts, key=lambda polygon: -polygon.area)


def simplified(parts: NDArray[Any], tolerance: float) -> NDArray[Any]:
    """Polygons `(N,)` of one mask with fewer points, none of them moved by more than `tolerance`."""
    shapely = require("shapely", "outputs")
    for share in SHARES:
        some = thinned(parts, share * tolerance)
        if shapely.is_valid(shapely.multipolygons(some)):
            return some
    return parts


def thinned(parts: NDArray[Any], tolerance: float) -> NDArray[Any]:
    """Polygons `(N,)` whose rings are simplified as several open lines: in a closed ring GEOS also moves the first point, which
    may exceed the tolerance. Points shared by rings stay, and lines do not cross. Rarely, a polygon is invalid.
    """
    shapely = require("shapely", "outputs")
    rings, owners = shapely.get_rings(parts, return_index=True)
    points, of_ring = shapely.get_coordinates(rings, return_index=True)
    first = np.append(True, of_ring[1:] != of_ring[:-1])
    last = np.append(first[1:], True)
    _, places, counts = np.unique(points[~last], axis=0, return_inverse=True, return_counts=True)
    cut = first | last
    cut[~last] |= counts[places.ravel()] > 1
    starts, ends = np.flatnonzero(first), np.flatnonzero(last)
    for start, end in zip(starts, ends, strict=True):
        cut[start + np.abs(points[start:end] - points[start]).sum(axis=1).argmax()] = True
    at = np.flatnonzero(cut)
    pairs = [(a, b) for a, b in pairwise(at) if not last[a]]
    lines = shapely.multilinestrings([shapely.linestrings(points[a : b + 1]) for a, b in pairs])
    fewer = shapely.get_parts(shapely.simplify(lines, tolerance, preserve_topology=True))
    thinned_lines: list[list[Any]] = [[] for _ in rings]
    for (a, _), line in zip(pairs, fewer, strict=True):
        thinned_lines[of_ring[a]].append(shapely.get_coordinates(line)[:-1])
    shells: list[list[Any]] = [[] for _ in parts]
    for ring, owner, some in zip(rings, owners, thinned_lines, strict=True):
        whole = np.concatenate(some)
        shells[owner].append(whole if len(whole) > 2 else ring)
    return np.array([shapely.Polygon(shell, holes) for shell, *holes in shells])
