"""Figures of a mask for tables, as `skimage.measure.regionprops` names and defines them. numpy only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.masks.runs import RunMask

# What a border pixel adds to the perimeter, by its weighted sum over itself and its eight neighbours on the border.
STEPS = np.zeros(50)
STEPS[[5, 7, 15, 17, 25, 27]] = 1
STEPS[[21, 33]] = math.sqrt(2)
STEPS[[13, 23]] = (1 + math.sqrt(2)) / 2


def measured(runs: RunMask) -> dict[str, Any]:
    """`area` in pixels; `box` x0, y0, x1, y1 with x1 and y1 one past the last pixel; `centroid` x, y of the pixels' centres in
    a photo whose first pixel has its centre at 0, None of an empty mask; `perimeter` in pixels."""
    x0, y0, *_ = runs.box
    part = runs.part()
    rows, columns = part.sum(1, dtype=np.int64), part.sum(0, dtype=np.int64)
    centroid = None
    if runs.area:
        x, y = (float(counts @ np.arange(len(counts))) / runs.area for counts in (columns, rows))
        centroid = [round(x0 + x, 3), round(y0 + y, 3)]
    return {"area": runs.area, "box": list(runs.box), "centroid": centroid, "perimeter": round(perimeter(part), 3)}


def perimeter(mask: NDArray[np.bool_]) -> float:
    """The length of a mask's border, through the centres of its pixels."""
    inside = np.pad(mask, 2)
    border = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1) & np.roll(inside, -1, 1))
    counts = border.astype(np.uint8)
    across = np.roll(counts, 1, 1) + np.roll(counts, -1, 1)
    sums = (
        counts
        + 2 * (across + np.roll(counts, 1, 0) + np.roll(counts, -1, 0))
        + 10 * (np.roll(across, 1, 0) + np.roll(across, -1, 0))
    )
    return float(STEPS[sums[border]].sum())
