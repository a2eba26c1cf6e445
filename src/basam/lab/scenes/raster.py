"""Polygons to anti-aliased coverage: the exact union of many loops, at any size, on any machine.

Crossings of edges with scan lines (`LINES` to a pixel row) are found in float64 and rounded to 1 / `STEPS` pixel; from there
on everything is integers. cv2.fillPoly is not used because it also fills the boundary pixels: its shapes are about half a
pixel too fat at every size, so that a mask rendered large and reduced is not the one rendered small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from basam.lab.scenes.draws import Array

LINES = 4
STEPS = 64

Loops = Sequence[Array]


class Window(NamedTuple):
    """A rectangle of pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def planes(self) -> tuple[slice, slice, slice]:
        """Index of the window in a channel-first image."""
        return slice(None), *self.slices

    def within(self, other: Window) -> tuple[slice, slice]:
        """Index of this window in an array that shows a larger one."""
        top, left = self.top - other.top, self.left - other.left
        return slice(top, top + self.shape[0]), slice(left, left + self.shape[1])

    def grown(self, margin: int, size: int) -> Window:
        """The window with a margin on every side, inside an image of `size`."""
        top, left = max(0, self.top - margin), max(0, self.left - margin)
        return Window(top, left, min(size, self.bottom + margin), min(size, self.right + margin))


def full(size: int) -> Window:
    """The window that is the whole image."""
    return Window(0, 0, size, size)


def bounds(loops: Loops, size: int) -> Window:
    """The smallest window that holds the loops, clipped to the image; empty (height or width 0) where they lie outside."""
    corners = np.concatenate([loop.reshape(-1, 2) for loop in loops])
    low = np.clip(np.floor(corners.min(0) * size), 0, size).astype(int)
    high = np.clip(np.floor(corners.max(0) * size) + 1, 0, size).astype(int)
    return Window(int(low[1]), int(low[0]), max(int(low[1]), int(high[1])), max(int(low[0]), int(high[0])))


def coverage(loops: Loops, size: int, window: Window | None = None) -> tuple[Array, Window]:
    """The share of every pixel that a union of polygons covers.

    Args:
        loops: arrays of x, y in the unit square, (points, 2) or (polygons, points, 2); every polygon is closed.
            A pixel is covered where the winding number is not 0: a loop of opposite orientation inside another is a hole
            of that one, and other loops may cross the hole.
        size: side of the image in pixels.
        window: the pixels wanted; by default the loops' bounding box.

    Returns:
        (height, width) float32 in 0..1, in steps of 1 / (LINES * STEPS), and the window.
    """
    window = bounds(loops, size) if window is None else window
    height, width = window.shape
    if height == 0 or width == 0:
        return np.zeros((height, width), np.float32), window
    line, x, falling = _crossings(loops, size, window)
    stride = width * STEPS + 1
    key = ((line * stride + x) << 1) | falling
    key.sort()
    step = 1 - 2 * (key & 1)
    winding = np.cumsum(step)
    entering = winding == step
    ends = entering | (winding == 0)
    key, change = key[ends] >> 1, np.where(entering[ends], 1.0, -1.0)
    line = key // stride
    x = key - line * stride
    cell = (line // LINES) * (width + 2) + x // STEPS
    part = x % STEPS
    count = height * (width + 2)
    sums = np.bincount(cell, change * (STEPS - part), count)
    sums += np.bincount(cell + 1, change * part, count)
    rows = sums.reshape(height, width + 2)[:, :width].astype(np.float32)
    np.cumsum(rows, axis=1, out=rows)
    rows *= np.float32(1 / (LINES * STEPS))
    return rows, window


def _crossings(loops: Loops, size: int, window: Window) -> tuple[Array, Array, Array]:
    """Scan line, x in 1 / STEPS pixel (both from the window's corner) and orientation of every crossing, as integers."""
    starts, ends = [], []
    for loop in loops:
        polygons = loop.reshape(-1, *loop.shape[-2:])
        starts.append(polygons.reshape(-1, 2))
        ends.append(np.concatenate((polygons[:, 1:], polygons[:, :1]), axis=1).reshape(-1, 2))
    corner = np.array([window.left, window.top], np.float64)
    a, b = np.concatenate(starts) * size - corner, np.concatenate(ends) * size - corner
    down = (b[:, 1] > a[:, 1])[:, None]
    a, b, falling = np.where(down, a, b), np.where(down, b, a), (~down[:, 0]).astype(np.int64)
    height, width = window.shape
    first = np.clip(np.ceil(a[:, 1] * LINES - 0.5), 0, height * LINES).astype(np.int64)
    count = np.clip(np.ceil(b[:, 1] * LINES - 0.5), 0, height * LINES).astype(np.int64) - first
    used = count > 0
    a, b, falling, first, count = a[used], b[used], falling[used], first[used], count[used]
    slope = (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
    origin = a[:, 0] - a[:, 1] * slope
    line = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    x = np.repeat(origin, count) + (line + 0.5) * (1 / LINES) * np.repeat(slope, count)
    return line, np.clip(np.floor(x * STEPS + 0.5), 0, width * STEPS).astype(np.int64), np.repeat(falling, count)
