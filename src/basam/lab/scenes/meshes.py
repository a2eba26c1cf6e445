"""Thin structures of twigs, strings and wires: tree, racket, cobweb, basket, caned chair. Widths as in `ironwork`."""

from __future__ import annotations

import numpy as np

from basam.lab.scenes.canvas import Part
from basam.lab.scenes.draws import Draws, cosine, direction, sine
from basam.lab.scenes.shapes import bar, bars, curve, ellipse, placed, polygon, ring, tube

PX = 1 / 1024
Loops = list[np.ndarray]


def tree(draws: Draws) -> list[Part]:
    """A bare tree or twig: every branch forks into thinner ones."""
    loops: Loops = []
    spread = draws.uniform(0.05, 0.1)
    sway = draws.uniform(0.01, 0.03)

    def grow(x: float, y: float, turn: float, length: float, width: float, depth: int) -> None:
        steps = [(x, y)]
        for _ in range(3):
            c, s = direction(turn)
            x, y = x + c * length / 3, y + s * length / 3
            steps.append((x, y))
            turn += draws.bell(sway)
        thinner = width * draws.uniform(0.6, 0.75)
        loops.extend(tube(curve(steps, 4), np.linspace(width, thinner, 13)))
        if depth:
            for side in (-1, 1, *((0,) if draws.chance(0.35) else ())):
                grow(
                    x,
                    y,
                    turn + side * spread * draws.uniform(0.6, 1.6),
                    length * draws.uniform(0.62, 0.88),
                    max(thinner, 1.2 * PX),
                    depth - 1,
                )

    grow(
        draws.uniform(0.35, 0.65),
        draws.uniform(0.92, 1.02),
        -0.25 + draws.bell(0.02),
        draws.uniform(0.2, 0.28),
        draws.uniform(20, 44) * PX,
        6,
    )
    return [Part(loops)]


def racket(draws: Draws) -> list[Part]:
    """A racket or a landing net: an oval hoop strung with a mesh, and a handle."""
    rx, ry = draws.uniform(0.19, 0.27), draws.uniform(0.24, 0.32)
    pitch = draws.uniform(3, 22) * PX
    string = min(draws.uniform(1.0, 3.0) * PX, pitch * 0.45)
    starts, ends = [], []
    for along, across, swap in ((rx, ry, False), (ry, rx, True)):
        positions = np.arange(-along + pitch, along, pitch)
        reach = across * np.sqrt(np.maximum(1 - (positions / along) * (positions / along), 0))
        a, b = np.stack((positions, -reach), axis=1), np.stack((positions, reach), axis=1)
        starts.append(a[:, ::-1] if swap else a)
        ends.append(b[:, ::-1] if swap else b)
    thick = draws.uniform(10, 20) * PX
    hoop = [ellipse(0, 0, rx + thick, ry + thick, points=128), ellipse(0, 0, rx, ry, points=128)[::-1]]
    throat, grip = ry + thick + draws.uniform(0.05, 0.1), draws.uniform(0.6, 0.75)
    shaft = [
        bar((-0.4 * rx, ry * 0.93), (0, throat), thick * 0.8),
        bar((0.4 * rx, ry * 0.93), (0, throat), thick * 0.8),
        bar((0, throat - 0.01), (0, grip), thick),
    ]
    parts = [
        Part([bars(np.concatenate(starts), np.concatenate(ends), string)], 1),
        Part(hoop + shaft),
        Part([bar((0, grip - 0.2), (0, grip), thick * 1.6)], 2),
    ]
    turn, scale = draws.unit(), draws.uniform(0.8, 1.05)
    c, s = direction(turn + 0.25)
    return [Part(placed(p.loops, scale, turn, (0.5 - 0.17 * c, 0.5 - 0.17 * s)), p.role) for p in parts]


def cobweb(draws: Draws) -> list[Part]:
    """A spider's web between twigs: rays and a sagging spiral."""
    count, turns_count = draws.integer(11, 22), draws.integer(9, 26)
    turns = (np.arange(count) + draws.array(-0.25, 0.25, count)) / count
    reach = draws.array(0.33, 0.46, count)
    ray = np.stack((cosine(turns), sine(turns)), axis=1)
    x, y = draws.uniform(0.45, 0.55), draws.uniform(0.45, 0.55)
    centre = np.array([x, y])
    string = draws.uniform(1.2, 2.6) * PX
    loops: Loops = [bars(np.repeat([centre], count, axis=0), centre + ray * reach[:, None], string * 1.3)]
    share = (0.12 + 0.83 * np.arange(turns_count) / turns_count)[:, None, None]
    knots = centre + (ray * reach[:, None])[None] * share
    following = np.roll(knots, -1, axis=1)
    sag = (knots + following) / 2 * 0.94 + centre * 0.06
    loops += [
        bars(knots.reshape(-1, 2), sag.reshape(-1, 2), string),
        bars(sag.reshape(-1, 2), following.reshape(-1, 2), string),
    ]
    ends = centre + ray * reach[:, None]
    following_ends = np.roll(ends, -1, axis=0)
    loops.append(bars(ends, following_ends, string * 2))
    return [Part(loops)]


def basket(draws: Draws) -> list[Part]:
    """A wire basket, crate or shopping trolley: a grid of wires on a trapezium, rims, handle, perhaps legs with wheels."""
    top, bottom = draws.uniform(0.22, 0.36), draws.uniform(0.6, 0.72)
    wide, narrow = draws.uniform(0.24, 0.36), draws.uniform(0.16, 0.26)
    columns, rows = draws.integer(8, 34), draws.integer(5, 20)
    wire = min(draws.uniform(1.5, 4) * PX, 0.5 * (bottom - top) / rows, 0.6 * narrow / columns)
    u = np.linspace(-1, 1, columns + 1)
    loops: Loops = [
        bars(
            np.stack((0.5 + wide * u, np.full(columns + 1, top)), axis=1),
            np.stack((0.5 + narrow * u, np.full(columns + 1, bottom)), axis=1),
            wire,
        )
    ]
    v = np.linspace(0, 1, rows + 1)
    half, y = wide + (narrow - wide) * v, top + (bottom - top) * v
    loops.append(bars(np.stack((0.5 - half, y), axis=1), np.stack((0.5 + half, y), axis=1), wire))
    loops += [bar((0.5 - wide, top), (0.5 + wide, top), 9 * PX), bar((0.5 - narrow, bottom), (0.5 + narrow, bottom), 7 * PX)]
    handle = curve(
        [
            (0.5 - wide, top),
            (0.5 - wide * 0.8, top - 0.14),
            (0.5, top - draws.uniform(0.14, 0.2)),
            (0.5 + wide * 0.8, top - 0.14),
            (0.5 + wide, top),
        ]
    )
    if draws.chance(0.5):
        return [Part(loops), Part(tube(handle, 8 * PX), 1)]
    floor = draws.uniform(0.85, 0.93)
    push = [
        bar((0.5 - wide, top), (0.5 - wide - 0.08, top - 0.06), 9 * PX),
        bar((0.5 - wide - 0.12, top - 0.06), (0.5 - wide - 0.04, top - 0.06), 14 * PX),
    ]
    legs = [
        bar((0.5 - narrow, bottom), (0.5 - narrow * 1.1, floor), 8 * PX),
        bar((0.5 + narrow * 0.6, bottom), (0.5 + narrow * 1.1, floor), 8 * PX),
        bar((0.5 - narrow * 1.1, floor), (0.5 + narrow * 1.1, floor), 7 * PX),
    ]
    wheels = [loop for sign in (-1, 1) for loop in ring(0.5 + sign * narrow, floor + 0.025, 0.028, 8 * PX)]
    return [Part(loops + legs), Part(push + wheels, 1)]


def chair(draws: Draws) -> list[Part]:
    """A chair with a slatted or caned back."""
    seat, floor, top = draws.uniform(0.52, 0.6), draws.uniform(0.9, 0.96), draws.uniform(0.06, 0.16)
    half = draws.uniform(0.16, 0.22)
    deep = draws.uniform(0.05, 0.1)
    post = draws.uniform(10, 20) * PX
    wood = [bar((0.5 + s * half, top), (0.5 + s * half * 0.95, floor - 0.06), post) for s in (-1, 1)]
    wood += [bar((0.5 + s * half * 1.15, seat + deep), (0.5 + s * half * 1.2, floor), post) for s in (-1, 1)]
    wood += [bar((0.5 - half * 1.15, y), (0.5 + half * 1.15, y), post * 0.6) for y in (floor - 0.13, floor - 0.08)]
    wood.append(
        polygon((0.5 - half, seat), (0.5 + half, seat), (0.5 + half * 1.2, seat + deep), (0.5 - half * 1.2, seat + deep))
    )
    wood += [bar((0.5 - half, y), (0.5 + half, y), post) for y in (top + 0.02, seat - 0.1)]
    count = draws.integer(4, 26)
    x = 0.5 + half * np.linspace(-1, 1, count + 2)[1:-1]
    back_top, back_bottom = np.full(count, top + 0.02), np.full(count, seat - 0.1)
    cane = min(draws.uniform(2, 8) * PX, half / count)
    slats: Loops = [bars(np.stack((x, back_top), axis=1), np.stack((x, back_bottom), axis=1), cane)]
    if draws.chance(0.6):
        rows = draws.integer(5, 24)
        y = np.linspace(top + 0.02, seat - 0.1, rows)
        slats.append(
            bars(
                np.stack((np.full(rows, 0.5 - half), y), axis=1),
                np.stack((np.full(rows, 0.5 + half), y), axis=1),
                min(cane, 0.12 / rows),
            )
        )
    return [Part(slats, 1), Part(wood)]
