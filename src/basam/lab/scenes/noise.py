"""Band-limited noise as a function of position: the same field at every size, with more octaves where there are more pixels.

An octave is a cubic B-spline over a lattice of random numbers. B-splines refine exactly (weights 1/8, 6/8, 1/8 and 1/2, 1/2),
so the octaves are summed on the lattices, coarse to fine, and only the finest is evaluated at the pixels.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from basam.lab.scenes.draws import Array, Draws
from basam.lab.scenes.raster import Window

SIDE = 64  # lattices repeat after this many cells; octaves that coarse or coarser do not repeat inside the unit square
MEAN_SQUARE = 0.230 / 3  # of a uniform number in [-1, 1] after a B-spline in both directions


class Noise:
    """A random field over the plane with mean 0 and variance about 1 at full detail.

    Args:
        draws: where the numbers come from; a stream of its own, finest octave last.
        cells: lattice cells in the unit square along y and x of the coarsest octave; unequal ones stretch the pattern.
        octaves: how many; those with lattice cells under two pixels are left out.
        roughness: amplitude of an octave relative to the next coarser one.
    """

    def __init__(self, draws: Draws, cells: float | tuple[float, float], octaves: int = 10, roughness: float = 0.55) -> None:
        self.cells = cells if isinstance(cells, tuple) else (cells, cells)
        self.octaves = octaves
        amplitudes, power = [1.0], 1.0  # no `sum`: it adds floats in another way since Python 3.12
        for _ in range(1, octaves):
            amplitudes.append(amplitudes[-1] * roughness)
            power += amplitudes[-1] * amplitudes[-1]
        scale = 1.0 / math.sqrt(MEAN_SQUARE * power)
        self._amplitudes = [np.float32(a * scale) for a in amplitudes]
        self._draws = draws
        self._tiles: list[Array] = []

    def sample(self, size: int, window: Window, shift: tuple[float, float] = (0.0, 0.0)) -> Array:
        """The field at the pixel centres of a window, (height, width) float32; shift in the unit square along y, x."""
        levels = self._levels(size)
        rows = _taps(window.top, window.bottom, size, shift[0], self.cells[0] * 2 ** (levels - 1))
        columns = _taps(window.left, window.right, size, shift[1], self.cells[1] * 2 ** (levels - 1))
        return _apply(_apply(self._lattice(levels, rows[0], columns[0]), rows).T, columns).T

    def _levels(self, size: int) -> int:
        levels = 1
        while levels < self.octaves and max(self.cells) * 2**levels <= size / 2:
            levels += 1
        while len(self._tiles) < levels:
            self._tiles.append(self._draws.tile(SIDE))
        return levels

    def _lattice(self, levels: int, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """Spline coefficients of the sum of all octaves on the part of the finest lattice from first to last, inclusive."""
        spans = [(rows, columns)]
        for _ in range(levels - 1):
            rows, columns = (rows[0] // 2 - 1, rows[1] // 2 + 1), (columns[0] // 2 - 1, columns[1] // 2 + 1)
            spans.append((rows, columns))
        total = None
        for level, (rows, columns) in enumerate(reversed(spans)):
            tile = self._tiles[level]
            index = np.arange(rows[0], rows[1] + 1) % SIDE, np.arange(columns[0], columns[1] + 1) % SIDE
            octave = tile[index[0]][:, index[1]] * self._amplitudes[level]
            if total is not None:
                octave += _refine(_refine(total, rows).T, columns).T
            total = octave
        assert total is not None
        return total


def _refine(coefficients: Array, span: tuple[int, int]) -> Array:
    """Coefficients of the same spline along axis 0 on a lattice of half the cell, for the indices of `span`."""
    inner = coefficients[1:-1]
    count = len(inner)
    finer = np.empty((2 * count, coefficients.shape[1]), np.float32)
    finer[0::2] = (coefficients[:-2] + coefficients[2:]) * np.float32(0.125) + inner * np.float32(0.75)
    finer[1::2] = (inner + coefficients[2:]) * np.float32(0.5)
    offset = span[0] - 2 * (span[0] // 2)
    return finer[offset : offset + span[1] - span[0] + 1]


Taps = tuple[tuple[int, int], Array, tuple[Array, ...]]


@lru_cache(maxsize=256)
def _taps(start: int, stop: int, size: int, shift: float, cells: float) -> tuple[tuple[int, int], Array, tuple[Array, ...]]:
    """For a run of pixel centres: the lattice indices used, the first tap per pixel among them, and the four weights."""
    position = ((np.arange(start, stop) + 0.5) / size + shift) * cells
    whole = np.floor(position)
    t = (position - whole).astype(np.float32)
    s = np.float32(1) - t
    sixth = np.float32(1 / 6)
    middle = [(x * x * (x * np.float32(3) - np.float32(6)) + np.float32(4)) * sixth for x in (t, s)]
    weights = (s * s * s * sixth, middle[0], middle[1], t * t * t * sixth)
    first = whole.astype(np.int64) - 1
    low = int(first[0])
    return (low, int(first[-1]) + 3), first - low, tuple(w[:, None] for w in weights)


def _apply(lattice: Array, taps: Taps) -> Array:
    _, first, weights = taps
    result = lattice[first] * weights[0]
    for k in (1, 2, 3):
        result += lattice[first + k] * weights[k]
    return result
