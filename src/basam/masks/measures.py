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


def measured(runs: RunMask, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """Figures of a mask; those that an empty mask lacks are None.

    Args:
        pixels: `(h, w, 3)` of the photo, perhaps read smaller; without any, `intensity_mean` is None.

    Returns:
        `area` in pixels; `box` x0, y0, x1, y1 (x1, y1 exclusive); `centroid` x, y of the pixels' centres in
        a photo whose first pixel has its centre at 0; `perimeter` in pixels; `equivalent_diameter_area` of the circle of the
        same area; `eccentricity` of the ellipse of the same second moments, 0 for a circle; `intensity_mean` per channel.
    """
    part = runs.part()
    centroid, eccentricity = moments(part) if runs.area else (None, None)
    return {
        "area": runs.area,
        "box": list(runs.box),
        "centroid": centroid and [round(start + place, 3) for start, place in zip(runs.box, centroid, strict=False)],
        "perimeter": round(perimeter(part), 3),
        "equivalent_diameter_area": round(math.sqrt(4 * runs.area / math.pi), 3),
        "eccentricity": eccentricity,
        "intensity_mean": mean_colour(runs, part, pixels),
    }


def moments(part: NDArray[np.bool_]) -> tuple[tuple[float, float], float]:
    """Centroid x, y and eccentricity of a mask with at least one pixel."""
    height, width = part.shape
    per_row, per_column = part.sum(1, dtype=np.int64), part.sum(0, dtype=np.int64)
    area = int(per_row.sum())
    rows, columns = np.arange(height), np.arange(width)
    x, y = float(per_column @ columns) / area, float(per_row @ rows) / area
    across, down = float(per_column @ (columns - x) ** 2), float(per_row @ (rows - y) ** 2)
    sums = np.array([np.flatnonzero(row).sum() for row in part])  # sum of x per row
    both = float((rows - y) @ (sums - x * per_row))
    spread = math.hypot(across - down, 2 * both)
    most, least = across + down + spread, max(0.0, across + down - spread)
    return (x, y), round(math.sqrt(1 - least / most), 6) if most else 0.0


def mean_colour(runs: RunMask, part: NDArray[np.bool_], pixels: NDArray[np.uint8]) -> list[float] | None:
    """The mean per channel over a mask; where pixels were read smaller, a pixel counts by the place of its centre."""
    if not runs.area or not pixels.size:
        return None
    x0, y0, x1, y1 = runs.box
    rows = ((np.arange(y0, y1) + 0.5) * (pixels.shape[0] / runs.height)).astype(np.int64)
    columns = ((np.arange(x0, x1) + 0.5) * (pixels.shape[1] / runs.width)).astype(np.int64)
    return [round(float(value), 3) for value in pixels[np.ix_(rows, columns)][part].mean(axis=0)]


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
