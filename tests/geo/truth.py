"""Rasters whose truth is known: each pixel's colour is the number of its object, so that a stand-in for the model can answer
with the truth inside the window that it is shown."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import rasterio
from rasterio.transform import Affine

from basam.masks import RunMask

PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 5_800_000)


def drawn(side, seed=0, cell=100):
    """Numbers of objects `(side, side)` int32, 0 outside of them: small ones in cells of so many pixels, pairs that touch, and
    large ones of which windows see parts: a river, a ring, a comb, a spiral."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((side, side), dtype=np.int32)
    count = 0

    def number():
        nonlocal count
        count += 1
        return count

    for y in range(0, side - cell + 1, cell):
        for x in range(0, side - cell + 1, cell):
            kind = rng.integers(4)
            left, top = x + int(rng.integers(1, cell // 5)), y + int(rng.integers(1, cell // 5))
            across, down = (int(each) for each in rng.integers(cell // 12, cell * 3 // 4, 2))
            if kind == 0:
                cv2.ellipse(labels, (left + across // 2, top + down // 2), (across // 2, down // 2), 0, 0, 360, number(), -1)
            elif kind == 1:  # two that touch along an edge
                labels[top : top + down, left : left + across // 2] = number()
                labels[top : top + down, left + across // 2 : left + across] = number()
            elif kind == 2:  # one around another
                labels[top : top + down, left : left + across] = number()
                if min(across, down) > 16:
                    labels[top + 5 : top + down - 5, left + 5 : left + across - 5] = number()
    unit = side / 100
    at = lambda *points: np.array([[round(x * unit), round(y * unit)] for x, y in points], dtype=np.int32)  # noqa: E731
    thick = max(3, round(0.6 * unit))
    cv2.polylines(labels, [at((0, 30), (25, 34), (50, 22), (75, 45), (99, 40))], False, number(), thick)
    cv2.circle(labels, (round(70 * unit), round(72 * unit)), round(18 * unit), number(), thick)
    comb = number()
    cv2.line(labels, *map(tuple, at((10, 60), (45, 60)).tolist()), comb, thick)
    for x in range(10, 46, 5):
        cv2.line(labels, *map(tuple, at((x, 60), (x, 90)).tolist()), comb, thick)
    turns = np.linspace(0, 6 * np.pi, 200)
    spiral = at(*np.stack([30 + turns * np.cos(turns) * 0.8, 12 + turns * np.sin(turns) * 0.5], axis=1))
    cv2.polylines(labels, [np.clip(spiral, 0, side - 1)], False, number(), max(3, thick // 2))
    return in_one_piece(labels)


def in_one_piece(labels):
    """Objects that the large ones cut in parts are an object each."""
    out, count = np.zeros_like(labels), 0
    for number, box in boxes_of(labels).items():
        inside = labels[box] == number
        parts, regions = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
        out[box][inside] = regions[inside] + count
        count += parts - 1
    return out


def boxes_of(labels):
    from scipy.ndimage import find_objects

    return {number: box for number, box in enumerate(find_objects(labels), start=1) if box is not None}


def written(path, labels, **more):
    """The raster of a map of objects' numbers."""
    height, width = labels.shape
    options = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32633", "transform": PLACE, "tiled": True}
    options |= {"compress": "packbits", "photometric": "RGB"} | more
    with rasterio.open(path, "w", height=height, width=width, **options) as file:
        for y in range(0, height, 1024):
            rows = labels[y : y + 1024]
            file.write(
                np.stack([rows >> 16 & 255, rows >> 8 & 255, rows & 255]).astype(np.uint8),
                window=((y, y + len(rows)), (0, width)),
            )
    return path


def answers(pixels, *, spoil=False, seen=None):
    """The truth inside a window: each part of each object that is connected there is a mask. `spoil`: those that the window's
    edge cuts are answered badly, as models do."""
    numbers = pixels.astype(np.int32)
    labels = numbers[..., 0] << 16 | numbers[..., 1] << 8 | numbers[..., 2]
    height, width = labels.shape
    found = []
    for number, (rows, columns) in boxes_of(labels).items():
        inside = (labels[rows, columns] == number).astype(np.uint8)
        parts, regions = cv2.connectedComponents(inside, connectivity=8)
        for part in range(1, parts):
            mask = regions == part
            cut = rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width
            score = 0.9
            if spoil and cut:
                mask, score = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool), 0.95
            runs = RunMask.of_part(mask, rows.start, columns.start, height, width)
            found.append(SimpleNamespace(runs=runs, predicted_iou=score, stability=1.0, point=(columns.start, rows.start)))
    return found
