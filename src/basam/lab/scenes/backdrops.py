"""Backgrounds: landscapes, streets, rooms and out-of-focus grounds on which things stand."""

from __future__ import annotations

import numpy as np

from basam.lab.scenes.canvas import Canvas
from basam.lab.scenes.draws import Colour, Draws, hsv
from basam.lab.scenes.material import Material, any_colour, near
from basam.lab.scenes.noise import Noise
from basam.lab.scenes.raster import Window, full
from basam.lab.scenes.shapes import curve, ellipse, polygon, rectangle


def backdrop(canvas: Canvas, draws: Draws) -> float:
    """Paint one of the backgrounds; returns the height of the horizon (y in the unit square)."""
    return draws.pick((landscape, landscape, landscape, street, room, room, blurred_ground))(canvas, draws)


def gradient(canvas: Canvas, draws: Draws, top: Colour, bottom: Colour, end: float, clouds: float) -> None:
    """A sky: colours from the top of the picture down to y = end, with clouds of this contrast."""
    window = Window(0, 0, max(1, round(end * canvas.size)), canvas.size)
    down = ((np.arange(window.bottom) + 0.5) / (canvas.size * end)).astype(np.float32)[:, None]
    field = Noise(draws.child(), (draws.uniform(2, 5), draws.uniform(1, 2.5)), 6, 0.5).sample(canvas.size, window)
    cover = np.clip((field + np.float32(draws.bell(0.6))) * np.float32(0.5), 0, 1) * np.float32(clouds)
    for channel in range(3):
        tone = np.float32(top[channel]) + down * np.float32(bottom[channel] - top[channel])
        canvas.image[channel, : window.bottom] = tone + cover * (np.float32(0.95) - tone)


def ridge(draws: Draws, height: float, rough: float) -> np.ndarray:
    """Everything below an uneven line at about y = height."""
    count = draws.integer(5, 12)
    x = np.arange(count) * (1.2 / (count - 1)) - 0.1
    line = curve(np.stack((x, height + draws.array(-rough, rough, count)), axis=1), 6)
    return polygon(*map(tuple, line), (1.1, 1.1), (-0.1, 1.1))


def ground_material(draws: Draws) -> Material:
    """Grass, sand, earth, water, snow, seen towards the horizon: features wider than high."""
    base, cells, contrast = draws.pick(
        (
            (near(draws, (0.18, 0.36), (0.35, 0.7), (0.25, 0.55)), (14.0, 9.0), 0.07),
            (near(draws, (0.18, 0.36), (0.35, 0.7), (0.25, 0.55)), (9.0, 16.0), 0.08),
            (near(draws, (0.08, 0.14), (0.2, 0.45), (0.55, 0.85)), (9.0, 3.0), 0.05),
            (near(draws, (0.05, 0.1), (0.25, 0.5), (0.25, 0.5)), (11.0, 6.0), 0.07),
            (near(draws, (0.5, 0.62), (0.25, 0.6), (0.3, 0.65)), (22.0, 3.0), 0.06),
            (near(draws, (0.55, 0.65), (0.0, 0.1), (0.75, 0.95)), (6.0, 2.0), 0.03),
            (near(draws, (0.0, 1.0), (0.0, 0.1), (0.35, 0.6)), (12.0, 8.0), 0.05),
        )
    )
    return Material(draws, base, contrast, cells, draws.pick(("mottled", "plain", "speckled")))


def landscape(canvas: Canvas, draws: Draws) -> float:
    """Sky, a few ridges, ground."""
    horizon = draws.uniform(0.15, 0.65)
    top, bottom = draws.pick(
        (
            (near(draws, (0.53, 0.62), (0.4, 0.75), (0.5, 0.9)), near(draws, (0.5, 0.6), (0.05, 0.3), (0.75, 0.98))),
            (near(draws, (0.5, 0.65), (0.0, 0.1), (0.5, 0.85)), near(draws, (0.5, 0.65), (0.0, 0.1), (0.7, 0.95))),
            (near(draws, (0.55, 0.75), (0.2, 0.5), (0.3, 0.6)), near(draws, (0.0, 0.12), (0.3, 0.6), (0.75, 0.95))),
        )
    )
    gradient(canvas, draws.child(), top, bottom, horizon + 0.1, draws.uniform(0.1, 0.9))
    hue = draws.uniform(0.2, 0.6)
    for layer in range(draws.integer(0, 3)):
        near_by = 0.3 + 0.25 * layer
        colour = hsv(hue, 0.15 + 0.3 * near_by, 0.7 - 0.35 * near_by + draws.bell(0.05))
        rough = draws.uniform(0.01, 0.09)
        canvas.shape(
            [ridge(draws, horizon - 0.1 + 0.04 * layer, rough)], Material(draws, colour, 0.04, 12.0), draws.uniform(0, 0.006)
        )
    canvas.shape([ridge(draws, horizon, draws.uniform(0.0, 0.02))], ground_material(draws), draws.uniform(0.001, 0.006))
    return horizon


def street(canvas: Canvas, draws: Draws) -> float:
    """A wall of bricks, planks or plaster with windows, above a pavement."""
    horizon = draws.uniform(0.5, 0.85)
    base = near(draws, (-0.02, 0.14), (0.05, 0.5), (0.3, 0.85))
    canvas.fill(Material(draws, base, 0.04, draws.uniform(2, 6), draws.pick(("mottled", "plain", "speckled"))))
    shade = draws.uniform(0.55, 0.8)
    rows = draws.pick((0, 6, 9, 14, 22))
    if rows:
        joints = courses(horizon, rows, draws.uniform(1.8, 2.6) if draws.chance(0.6) else None)
        canvas.shape(joints, (base[0] * shade, base[1] * shade, base[2] * shade), opacity=0.7)
    for _ in range(draws.integer(0, 2)):
        x, y, w, h = draws.uniform(0, 0.8), draws.uniform(0, 0.3), draws.uniform(0.12, 0.3), draws.uniform(0.15, 0.35)
        canvas.shape([rectangle(x - 0.01, y - 0.01, x + w + 0.01, y + h)], any_colour(draws))
        glass = Material(draws, near(draws, (0.5, 0.65), (0.05, 0.4), (0.1, 0.5)), 0.08, 2.0)
        canvas.shape([rectangle(x, y, x + w, y + h - 0.01)], glass)
    pavement = Material(draws, near(draws, (0.0, 0.2), (0.0, 0.12), (0.3, 0.65)), 0.04, (20.0, 9.0), "speckled")
    canvas.shape([rectangle(0, horizon, 1, 1)], pavement, 0.002)
    return horizon


def courses(height: float, rows: int, brick: float | None) -> list[np.ndarray]:
    """The joints of a wall down to y = height; bricks are `brick` times as wide as high, planks go all across."""
    step = height / rows
    joint = step * 0.09
    lines = [rectangle(0, y * step, 1, y * step + joint) for y in range(rows)]
    if brick is not None:
        wide = step * brick
        for y in range(rows):
            starts = [(k - 0.5 * (y % 2)) * wide for k in range(int(1 / wide) + 2)]
            lines += [rectangle(x, y * step, x + joint, (y + 1) * step) for x in starts]
    return lines


def room(canvas: Canvas, draws: Draws) -> float:
    """A wall and a table or floor, with a few pictures or shelves out of focus."""
    horizon = draws.uniform(0.35, 0.75)
    wall = near(draws, (0.0, 1.0), (0.0, 0.3), (0.35, 0.9))
    canvas.fill(
        Material(draws, wall, draws.uniform(0.01, 0.05), 1.5, draws.pick(("plain", "plain", "mottled", "striped")), octaves=5)
    )
    for _ in range(draws.integer(0, 4)):
        x, y, w, h = draws.uniform(-0.1, 0.9), draws.uniform(-0.1, horizon), draws.uniform(0.05, 0.35), draws.uniform(0.05, 0.4)
        box = rectangle(x, y, x + w, y + h)
        canvas.shape([box], Material(draws, any_colour(draws), 0.06, 3.0, octaves=4), draws.uniform(0.003, 0.025))
    wood = near(draws, (0.03, 0.12), (0.25, 0.65), (0.25, 0.75)) if draws.chance(0.6) else any_colour(draws)
    table = Material(
        draws, wood, 0.05, draws.pick(((14.0, 2.0), (3.0, 20.0), (4.0, 4.0))), draws.pick(("plain", "mottled", "waves"))
    )
    slant = draws.bell(0.03)
    canvas.shape([polygon((0, horizon - slant), (1, horizon + slant), (1, 1), (0, 1))], table, draws.uniform(0.001, 0.008))
    return horizon


def blurred_ground(canvas: Canvas, draws: Draws) -> float:
    """Far out of focus: soft colours and discs of light."""
    base = near(draws, (0.0, 1.0), (0.1, 0.6), (0.25, 0.75))
    canvas.fill(Material(draws, base, 0.09, draws.uniform(1.5, 3.5), "mottled", octaves=3))
    for _ in range(draws.integer(0, 14)):
        radius = draws.uniform(0.02, 0.08)
        disc = ellipse(draws.unit(), draws.unit(), radius, points=40)
        canvas.shape([disc], any_colour(draws), draws.uniform(0.002, 0.02), draws.uniform(0.1, 0.4))
    return draws.uniform(0.6, 0.9)


def vignette(canvas: Canvas, strength: float) -> None:
    """Darken towards the corners."""
    window = full(canvas.size)
    across = ((np.arange(window.right) + 0.5) / canvas.size - 0.5).astype(np.float32)
    square = across * across
    canvas.image *= 1 - np.float32(strength * 2) * (square[:, None] + square)
