"""Outlines in the plane: the loops of which every drawn thing consists. x points right, y down."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from basam.lab.scenes.draws import Array, Draws, cosine, direction, sine

Point = tuple[float, float]


@lru_cache
def around(count: int) -> tuple[Array, Array]:
    """Cosine and sine of `count` angles around the circle."""
    turns = np.arange(count) / count
    return cosine(turns), sine(turns)


def ellipse(x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0, points: int = 64) -> Array:
    """A filled ellipse (circle without ry), rotated by turn."""
    c, s = around(points)
    loop = np.empty((points, 2))
    loop[:, 0], loop[:, 1] = c * rx, s * (rx if ry is None else ry)
    if turn:
        return placed([loop], 1.0, turn, (x, y))[0]
    loop += (x, y)
    return loop


def ring(x: float, y: float, radius: float, width: float, flat: float = 1.0, points: int = 128) -> list[Array]:
    """A circle line of this width inside the radius; flat squeezes it along y."""
    inner = radius - width
    return [
        ellipse(x, y, radius, radius * flat, points=points),
        ellipse(x, y, inner, max(inner * flat, 0.0), points=points)[::-1],
    ]


def polygon(*points: Point) -> Array:
    """A closed polygon, turned to positive orientation."""
    return oriented(np.array(points, np.float64))


def rectangle(left: float, top: float, right: float, bottom: float) -> Array:
    """An upright rectangle in positive orientation."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def oriented(loop: Array) -> Array:
    """The loop in positive orientation."""
    x, y = loop[:, 0], loop[:, 1]
    area = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) + x[-1] * y[0] - x[0] * y[-1]
    return loop if area >= 0 else loop[::-1]


def bars(starts: Array, ends: Array, width: float | Array) -> Array:
    """Straight bars between points (count, 2), `width` wide: (count, 4, 2)."""
    along = ends - starts
    length = np.sqrt(along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1])
    half = (np.asarray(width) * 0.5 / np.maximum(length, 1e-9))[..., None]
    across = np.stack((-along[:, 1], along[:, 0]), axis=1) * half
    return np.stack((starts - across, ends - across, ends + across, starts + across), axis=1)


def bar(start: Point, end: Point, width: float) -> Array:
    """One straight bar: (1, 4, 2)."""
    return bars(np.array([start], np.float64), np.array([end], np.float64), width)


def tube(points: Array, width: float | Sequence[float] | Array) -> list[Array]:
    """A curve through points (count, 2) with the thickness `width` (a number, or one per point), with round ends."""
    points = np.asarray(points, np.float64)
    half = np.broadcast_to(np.asarray(width, np.float64) * 0.5, (len(points),))
    along = np.empty_like(points)
    along[1:-1] = points[2:] - points[:-2]
    along[0], along[-1] = points[1] - points[0], points[-1] - points[-2]
    length = np.sqrt(along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1])
    across = np.stack((-along[:, 1], along[:, 0]), axis=1) * (half / np.maximum(length, 1e-9))[:, None]
    outline = np.concatenate((points - across, (points + across)[::-1]))
    caps = [ellipse(float(points[i, 0]), float(points[i, 1]), float(half[i]), points=20) for i in (0, -1)]
    return [oriented(outline), *caps]


def curve(controls: Sequence[Point] | Array, steps: int = 8) -> Array:
    """A smooth open curve through the control points (Catmull-Rom), `steps` points to a piece."""
    p = np.asarray(controls, np.float64)
    p = np.concatenate((2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]))
    return np.concatenate((_spline(p, steps), p[-2:-1]))


def smooth(controls: Sequence[Point] | Array, steps: int = 8) -> Array:
    """A smooth closed outline through the control points."""
    p = np.asarray(controls, np.float64)
    return oriented(_spline(np.concatenate((p[-1:], p, p[:2])), steps))


def _spline(p: Array, steps: int) -> Array:
    t = (np.arange(steps) / steps)[:, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    pieces = b + t * (0.5 * (c - a) + t * (a - 2.5 * b + 2 * c - 0.5 * d + t * (1.5 * (b - c) + 0.5 * (d - a))))
    return pieces.reshape(-1, 2)


def profile(count: int, *knots: Point) -> Array:
    """Values along a curve at `count` even steps from 0 to 1, straight between knots (step, value): (count,)."""
    steps = np.arange(count) / max(count - 1, 1)
    values = np.full(count, float(knots[0][1]))
    for (start, low), (end, high) in pairwise(knots):
        inside = steps >= start
        values[inside] = low + (high - low) * np.minimum((steps[inside] - start) / (end - start), 1.0)
    return values


def blob(draws: Draws, lumps: int = 6, rough: float = 0.3, points: int = 128) -> Array:
    """An irregular closed outline of radius about 1 with lumps of falling size."""
    turns = np.arange(points) / points
    radius = np.ones(points)
    for k in range(2, 2 + lumps):
        radius += draws.bell(rough / k) * cosine(turns * k + draws.unit())
    radius = np.clip(radius, 0.3, 2.0)
    return np.stack((radius * cosine(turns), radius * sine(turns)), axis=1)


def mirrored(loops: Sequence[Array]) -> list[Array]:
    """The loops mirrored left to right, with the same orientation."""
    return [(loop * np.array([-1.0, 1.0]))[..., ::-1, :] for loop in loops]


def placed(
    loops: Sequence[Array], scale: float | Point, turn: float = 0.0, centre: Point = (0.0, 0.0), flip: bool = False
) -> list[Array]:
    """The loops mirrored, scaled, rotated and moved."""
    c, s = direction(turn)
    sx, sy = scale if isinstance(scale, tuple) else (scale, scale)
    result = []
    for loop in mirrored(loops) if flip else loops:
        x, y = loop[..., 0] * sx, loop[..., 1] * sy
        moved = np.empty_like(loop)
        moved[..., 0], moved[..., 1] = x * c - y * s + centre[0], x * s + y * c + centre[1]
        result.append(moved)
    return result
