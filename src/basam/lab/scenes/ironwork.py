"""Thin structures of tubes and bars: bicycle, gate, lattice tower, Ferris wheel.

Widths are given in 1/1024 of the picture (`PX`): the finest parts and holes are about one pixel at 1024.
"""

from __future__ import annotations

import numpy as np

from basam.lab.scenes.canvas import Part
from basam.lab.scenes.draws import Draws, cosine, direction, sine
from basam.lab.scenes.shapes import Point, bar, bars, curve, ellipse, polygon, ring, tube

PX = 1 / 1024
Loops = list[np.ndarray]


def wheel(draws: Draws, x: float, y: float, radius: float) -> Loops:
    """Tyre, rim, hub and crossing spokes, as on a bicycle."""
    tyre = draws.uniform(0.05, 0.11) * radius
    count = draws.pick((16, 20, 24, 28, 32, 36))
    turns = np.arange(count) / count + draws.unit()
    lean = np.where(np.arange(count) % 2, 1.0, -1.0) * draws.uniform(0.0, 0.2)
    rim = np.stack((x + cosine(turns) * radius * 0.93, y + sine(turns) * radius * 0.93), axis=1)
    hub = np.stack((x + cosine(turns + lean) * radius * 0.07, y + sine(turns + lean) * radius * 0.07), axis=1)
    spokes = bars(hub, rim, draws.uniform(1.0, 2.4) * PX)
    return [*ring(x, y, radius, tyre), spokes, ellipse(x, y, radius * 0.09)]


def bicycle(draws: Draws) -> list[Part]:
    """Two wheels, a diamond frame, fork, handlebar, saddle, chain wheel, perhaps a carrier and mudguards."""
    radius = draws.uniform(0.15, 0.2)
    base = draws.uniform(0.44, 0.52)
    y, back, front = 0.72, 0.5 - base / 2, 0.5 + base / 2
    tube_width = draws.uniform(9, 16) * PX
    crank: Point = (back + base * draws.uniform(0.4, 0.46), y + 0.01)
    seat: Point = (crank[0] - draws.uniform(0.04, 0.07), y - draws.uniform(0.23, 0.28))
    head: Point = (front - draws.uniform(0.07, 0.1), seat[1] + draws.uniform(0.0, 0.03))
    low: Point = (head[0] + 0.012, head[1] + 0.05)
    frame = [
        bar(start, end, tube_width * share)
        for start, end, share in (
            (seat, crank, 1), (seat, head, 1), (crank, low, 1.15), ((back, y), crank, 0.6), ((back, y), seat, 0.55),
            (head, low, 1.3), (low, (front, y), 0.8), (seat, (seat[0] - 0.012, seat[1] - 0.05), 0.7),
        )
    ]  # fmt: skip
    top: Point = (head[0] - 0.012, head[1] - draws.uniform(0.03, 0.06))
    reach = draws.uniform(0.03, 0.07)
    grip = curve(
        [
            top,
            (top[0] + reach, top[1] - 0.012),
            (top[0] + reach * 1.2, top[1] + 0.03),
            (top[0] + reach * 0.5, top[1] + draws.uniform(0.03, 0.06)),
        ]
    )
    saddle_at = (seat[0] - 0.014, seat[1] - 0.055)
    saddle = polygon(
        (saddle_at[0] - 0.05, saddle_at[1] - 0.012),
        (saddle_at[0] + 0.05, saddle_at[1] - 0.004),
        (saddle_at[0] + 0.05, saddle_at[1] + 0.004),
        (saddle_at[0] - 0.04, saddle_at[1] + 0.014),
    )
    chain = [
        bar((back, y - 0.012), (crank[0], crank[1] - 0.034), 2.5 * PX),
        bar((back, y + 0.012), (crank[0], crank[1] + 0.034), 2.5 * PX),
    ]
    arms = np.arange(5) / 5 + draws.unit()
    star = bars(
        np.repeat([crank], 5, axis=0), np.stack((crank[0] + 0.03 * cosine(arms), crank[1] + 0.03 * sine(arms)), axis=1), 4 * PX
    )
    turn = draws.unit()
    c, s = direction(turn)
    pedals = [bar((crank[0] - 0.06 * c, crank[1] - 0.06 * s), (crank[0] + 0.06 * c, crank[1] + 0.06 * s), 6 * PX)]
    for sign in (-1, 1):
        px, py = crank[0] + sign * 0.06 * c, crank[1] + sign * 0.06 * s
        pedals.append(bar((px - 0.02, py), (px + 0.02, py), 8 * PX))
    extras: Loops = []
    if draws.chance(0.5):
        shelf = y - radius - 0.035
        extras += [
            bar((back - 0.09, shelf), (seat[0] - 0.01, shelf), 4 * PX),
            bar((back, y), (back - 0.06, shelf), 3 * PX),
            bar((back, y), (back + 0.05, shelf), 3 * PX),
        ]
    if draws.chance(0.5):
        for x in (back, front):
            extras += arc(x, y, radius * 1.09, 0.5 + draws.uniform(0, 0.06), 0.5 + draws.uniform(0.28, 0.42), 4 * PX)
    wheels = wheel(draws, back, y, radius) + wheel(draws, front, y, radius)
    frame += [*ring(*crank, 0.036, 4 * PX), star, *chain, *pedals, *extras]
    return [Part(wheels, 1), Part(frame), Part([*tube(grip, 9 * PX), bar(head, top, 9 * PX), saddle], 1)]


def arc(x: float, y: float, radius: float, start: float, end: float, width: float) -> Loops:
    """A part of a circle line, angles in turns."""
    turns = start + (end - start) * np.arange(33) / 32
    return tube(np.stack((x + radius * cosine(turns), y + radius * sine(turns)), axis=1), width)


def gate(draws: Draws) -> list[Part]:
    """A wrought-iron gate or fence: posts, rails, pickets with points, scrolls between them."""
    left, right = draws.uniform(0.02, 0.15), draws.uniform(0.85, 0.98)
    top, bottom = draws.uniform(0.15, 0.35), draws.uniform(0.78, 0.95)
    count = draws.integer(9, 34)
    x = left + (right - left) * (np.arange(count) + 0.5) / count
    arch = draws.uniform(-0.1, 0.15) * (1 - np.abs(2 * x - left - right) / (right - left))
    heads = top - arch
    width = min(draws.uniform(3, 9) * PX, 0.3 / count)
    loops: Loops = [bars(np.stack((x, heads), axis=1), np.stack((x, np.full(count, bottom)), axis=1), width)]
    spear = draws.uniform(2.0, 3.5) * width
    loops.append(
        np.stack(
            [
                np.stack((x + dx, heads + dy), axis=1)
                for dx, dy in ((0, -2 * spear), (spear / 2, -spear / 2), (0, 0), (-spear / 2, -spear / 2))
            ],
            axis=1,
        )
    )
    rails = [top + 0.06, bottom - draws.uniform(0.02, 0.06), top + draws.uniform(0.15, 0.4)][: draws.integer(2, 3)]
    loops += [bar((left, y), (right, y), width * 1.4) for y in rails]
    loops += [bar((post, top - 0.05), (post, bottom + 0.04), draws.uniform(12, 26) * PX) for post in (left, right)]
    if draws.chance(0.7):
        gap = (right - left) / count
        for k in range(count - 1):
            middle = (x[k] + x[k + 1]) / 2
            loops += ring(middle, rails[0] + gap * 0.5, gap * 0.46, width * 0.6, points=40)
            if len(rails) == 3 and k % 2:
                loops += ring(middle, rails[2] - gap * 0.45, gap * 0.42, width * 0.6, points=40)
    return [Part(loops)]


def mast(draws: Draws) -> list[Part]:
    """A lattice tower: legs, crossed braces, arms with wires or a platform."""
    tip, foot = draws.uniform(0.04, 0.15), draws.uniform(0.88, 0.98)
    wide, narrow = draws.uniform(0.12, 0.28), draws.uniform(0.015, 0.05)
    count = draws.integer(6, 14)
    level = np.linspace(0, 1, count + 1)
    level = level * (0.6 + 0.4 * level)
    y = tip + (foot - tip) * level
    half = narrow + (wide - narrow) * level * level
    left, right = np.stack((0.5 - half, y), axis=1), np.stack((0.5 + half, y), axis=1)
    thick, fine = draws.uniform(5, 10) * PX, draws.uniform(1.5, 3.5) * PX
    loops: Loops = [bars(left[:-1], left[1:], thick), bars(right[:-1], right[1:], thick)]
    loops += [bars(left[:-1], right[1:], fine), bars(right[:-1], left[1:], fine), bars(left, right, fine)]
    for k in sorted({draws.integer(1, max(1, count // 2)) for _ in range(draws.integer(1, 3))}):
        reach = draws.uniform(0.12, 0.3)
        for sign in (-1, 1):
            start, lower, end = (
                (0.5 + sign * half[k], y[k]),
                (0.5 + sign * half[k - 1], y[k - 1]),
                (0.5 + sign * (half[k] + reach), y[k]),
            )
            loops += [bar(start, end, fine * 1.5), bar(lower, end, fine * 1.5)]
            for share in (0.25, 0.5, 0.75):
                px = start[0] + (end[0] - start[0]) * share
                loops.append(bar((px, y[k]), (px, lower[1] + (y[k] - lower[1]) * share), fine))
            loops.append(bar(end, (end[0], y[k] + 0.03), 5 * PX))
    return [Part(loops)]


def big_wheel(draws: Draws) -> list[Part]:
    """A Ferris wheel on its stand."""
    x, y, radius = 0.5, draws.uniform(0.4, 0.46), draws.uniform(0.28, 0.36)
    count = draws.integer(10, 28)
    turns = np.arange(count) / count + draws.unit()
    ray = np.stack((cosine(turns), sine(turns)), axis=1)
    fine = draws.uniform(1.2, 3) * PX
    centre = np.array([x, y])
    inner = draws.uniform(0.8, 0.9)
    loops: Loops = [*ring(x, y, radius, 5 * PX), *ring(x, y, radius * inner, 3 * PX), ellipse(x, y, 0.025)]
    loops.append(bars(np.repeat([centre], count, axis=0), centre + ray * radius, fine))
    loops.append(bars(centre + ray * radius * inner, centre + np.roll(ray, -1, axis=0) * radius, fine))
    foot = draws.uniform(0.12, 0.25)
    stand = [bar((x, y), (x + sign * foot * share, 0.95), 10 * PX) for sign in (-1, 1) for share in (1.0, 0.7)]
    stand += [bar((x - foot * t, y + (0.95 - y) * t), (x + foot * t, y + (0.95 - y) * t), 4 * PX) for t in (0.7, 0.85)]
    size = min(0.024, 0.9 * radius * 6.28 / count / 2)
    cabins = [
        ellipse(x + float(c) * radius, y + float(s) * radius + size * 0.7, size * 0.55, size * 0.6, points=24) for c, s in ray
    ]
    return [Part(loops), Part(stand), Part(cabins, 1)]
