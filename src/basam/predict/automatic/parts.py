"""Places points on the levels of a photo that is encoded once, instead of on crops that are encoded again."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from basam.families import Geometry
from basam.predict.automatic.grids import Crop
from basam.predict.views import View

# Levels whose sides differ by less than this factor give the same objects.
APART = 1.5


def parts_of(
    levels: tuple[View, ...], geometry: Geometry, points_of: Callable[[int, float], NDArray[np.float64]]
) -> list[tuple[Crop, View, NDArray[np.float64]]]:
    """Parts of levels about an octave apart, with the points in them; a point is in the part with the nearest centre.

    Args:
        levels: of the photo, finest first.
        points_of: points `(P, 2)` as shares of the photo, for a level's number (0 is the coarsest) and its size relative to the
            coarsest.

    Returns:
        per part its crop of the photo, its view, and its points in pixels of it; coarsest level first.
    """
    used = [levels[-1]]
    for level in reversed(levels):
        if max(level.frame.resized) >= APART * max(used[-1].frame.resized):
            used.append(level)
    height, width = levels[-1].frame.original
    parts = []
    for number, level in enumerate(used):
        points = points_of(number, max(level.frame.resized) / max(used[0].frame.resized)) * (width, height)
        middles = [middles_of(grid, geometry.trained_side) for grid in level.grid(geometry)]
        scale = np.array([width / level.frame.resized[1], height / level.frame.resized[0]]) * geometry.patch
        nearest = [np.abs(points[:, axis, None] / scale[axis] - middles[1 - axis]).argmin(1) for axis in (0, 1)]
        for row, column in product(range(len(middles[0])), range(len(middles[1]))):
            inside = points[(nearest[1] == row) & (nearest[0] == column)]
            if not len(inside):
                continue
            x, y = np.array([middles[1][column], middles[0][row]]) * scale
            view = View.of_level(level, float(x), float(y), geometry)
            rows, columns = view.window(height, width)
            crop = Crop(columns.start, rows.start, columns.stop, rows.stop, number)
            parts.append((crop, view, inside - view.shift))
    return parts


def middles_of(length: int, side: int) -> NDArray[np.float64]:
    """Centres, in patches, of parts of `side` that cover `length` and overlap by half or more."""
    if length <= side:
        return np.array([length / 2])
    return np.linspace(side / 2, length - side / 2, math.ceil(2 * (length - side) / side) + 1)
