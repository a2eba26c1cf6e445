"""Domain `thin`, after DIS5K: one finely structured thing with spokes, bars, wires or twigs and the holes between them.

Widths are given in 1/1024 of the picture (`PX`): the finest parts and holes are one pixel at 1024.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from basam.scenes.backdrops import backdrop
from basam.scenes.canvas import Canvas, Look, Part
from basam.scenes.draws import Draws, cosine, direction, hsv, sine
from basam.scenes.material import Material, any_colour, near
from basam.scenes.shapes import Point, bar, bars, curve, ellipse, mirrored, placed, polygon, ring, tube

PX = 1 / 1024
Loops = list[np.ndarray]


def wheel(draws: Draws, x: float, y: float, radius: float, flat: float = 1.0) -> Loops:
    """Tyre, rim, hub and spokes that cross each other, as on a bicycle."""
    tyre = draws.uniform(0.05, 0.11) * radius
    count = draws.pick((16, 20, 24, 28, 32, 36))
    turns = np.arange(count) / count + draws.unit()
    lean = np.where(np.arange(count) % 2, 1.0, -1.0) * draws.uniform(0.0, 0.2)
    rim = np.stack((x + cosine(turns) * radius * 0.93, y + sine(turns) * radius * 0.93 * flat), axis=1)
    hub = np.stack((x + cosine(turns + lean) * radius * 0.07, y + sine(turns + lean) * radius * 0.07 * flat), axis=1)
    spokes = bars(hub, rim, draws.uniform(1.0, 2.4) * PX)
    return [*ring(x, y, radius, tyre, flat), spokes, ellipse(x, y, radius * 0.09, radius * 0.09 * flat)]


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
    grip = curve([top, (top[0] + reach, top[1] - 0.012), (top[0] + reach * 1.2, top[1] + 0.03), (top[0] + reach * 0.5, top[1] + draws.uniform(0.03, 0.06))])
    saddle_at = (seat[0] - 0.014, seat[1] - 0.055)
    saddle = polygon((saddle_at[0] - 0.05, saddle_at[1] - 0.012), (saddle_at[0] + 0.05, saddle_at[1] - 0.004), (saddle_at[0] + 0.05, saddle_at[1] + 0.004), (saddle_at[0] - 0.04, saddle_at[1] + 0.014))
    chain = [bar((back, y - 0.012), (crank[0], crank[1] - 0.034), 2.5 * PX), bar((back, y + 0.012), (crank[0], crank[1] + 0.034), 2.5 * PX)]
    arms = np.arange(5) / 5 + draws.unit()
    star = bars(np.repeat([crank], 5, axis=0), np.stack((crank[0] + 0.03 * cosine(arms), crank[1] + 0.03 * sine(arms)), axis=1), 4 * PX)
    turn = draws.unit()
    c, s = direction(turn)
    pedals = [bar((crank[0] - 0.06 * c, crank[1] - 0.06 * s), (crank[0] + 0.06 * c, crank[1] + 0.06 * s), 6 * PX)]
    for sign in (-1, 1):
        px, py = crank[0] + sign * 0.06 * c, crank[1] + sign * 0.06 * s
        pedals.append(bar((px - 0.02, py), (px + 0.02, py), 8 * PX))
    extras: Loops = []
    if draws.chance(0.5):
        shelf = y - radius - 0.035
        extras += [bar((back - 0.09, shelf), (seat[0] - 0.01, shelf), 4 * PX), bar((back, y), (back - 0.06, shelf), 3 * PX), bar((back, y), (back + 0.05, shelf), 3 * PX)]
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
    loops.append(np.stack([np.stack((x + dx, heads + dy), axis=1) for dx, dy in ((0, -2 * spear), (spear / 2, -spear / 2), (0, 0), (-spear / 2, -spear / 2))], axis=1))
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
                grow(x, y, turn + side * spread * draws.uniform(0.6, 1.6), length * draws.uniform(0.62, 0.88), max(thinner, 1.2 * PX), depth - 1)

    grow(draws.uniform(0.35, 0.65), draws.uniform(0.92, 1.02), -0.25 + draws.bell(0.02), draws.uniform(0.2, 0.28), draws.uniform(20, 44) * PX, 6)
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
            start, lower, end = (0.5 + sign * half[k], y[k]), (0.5 + sign * half[k - 1], y[k - 1]), (0.5 + sign * (half[k] + reach), y[k])
            loops += [bar(start, end, fine * 1.5), bar(lower, end, fine * 1.5)]
            for share in (0.25, 0.5, 0.75):
                px = start[0] + (end[0] - start[0]) * share
                loops.append(bar((px, y[k]), (px, lower[1] + (y[k] - lower[1]) * share), fine))
            loops.append(bar(end, (end[0], y[k] + 0.03), 5 * PX))
    return [Part(loops)]


def racket(draws: Draws) -> list[Part]:
    """A racket or a landing net: an oval hoop strung with a mesh, and a handle."""
    rx, ry = draws.uniform(0.19, 0.27), draws.uniform(0.24, 0.32)
    pitch = draws.uniform(6, 22) * PX
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
    shaft = [bar((-0.4 * rx, ry * 0.93), (0, throat), thick * 0.8), bar((0.4 * rx, ry * 0.93), (0, throat), thick * 0.8), bar((0, throat - 0.01), (0, grip), thick)]
    parts = [Part([bars(np.concatenate(starts), np.concatenate(ends), string)], 1), Part(hoop + shaft), Part([bar((0, grip - 0.2), (0, grip), thick * 1.6)], 2)]
    turn, scale = draws.unit(), draws.uniform(0.8, 1.05)
    c, s = direction(turn + 0.25)
    return [Part(placed(p.loops, scale, turn, (0.5 - 0.17 * c, 0.5 - 0.17 * s)), p.role) for p in parts]


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
    cabins = [ellipse(x + float(c) * radius, y + float(s) * radius + size * 0.7, size * 0.55, size * 0.6, points=24) for c, s in ray]
    return [Part(loops), Part(stand), Part(cabins, 1)]


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
    loops += [bars(knots.reshape(-1, 2), sag.reshape(-1, 2), string), bars(sag.reshape(-1, 2), following.reshape(-1, 2), string)]
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
    loops: Loops = [bars(np.stack((0.5 + wide * u, np.full(columns + 1, top)), axis=1), np.stack((0.5 + narrow * u, np.full(columns + 1, bottom)), axis=1), wire)]
    v = np.linspace(0, 1, rows + 1)
    half, y = wide + (narrow - wide) * v, top + (bottom - top) * v
    loops.append(bars(np.stack((0.5 - half, y), axis=1), np.stack((0.5 + half, y), axis=1), wire))
    loops += [bar((0.5 - wide, top), (0.5 + wide, top), 9 * PX), bar((0.5 - narrow, bottom), (0.5 + narrow, bottom), 7 * PX)]
    handle = curve([(0.5 - wide, top), (0.5 - wide * 0.8, top - 0.14), (0.5, top - draws.uniform(0.14, 0.2)), (0.5 + wide * 0.8, top - 0.14), (0.5 + wide, top)])
    if draws.chance(0.5):
        return [Part(loops), Part(tube(handle, 8 * PX), 1)]
    floor = draws.uniform(0.85, 0.93)
    push = [bar((0.5 - wide, top), (0.5 - wide - 0.08, top - 0.06), 9 * PX), bar((0.5 - wide - 0.12, top - 0.06), (0.5 - wide - 0.04, top - 0.06), 14 * PX)]
    legs = [bar((0.5 - narrow, bottom), (0.5 - narrow * 1.1, floor), 8 * PX), bar((0.5 + narrow * 0.6, bottom), (0.5 + narrow * 1.1, floor), 8 * PX), bar((0.5 - narrow * 1.1, floor), (0.5 + narrow * 1.1, floor), 7 * PX)]
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
    wood.append(polygon((0.5 - half, seat), (0.5 + half, seat), (0.5 + half * 1.2, seat + deep), (0.5 - half * 1.2, seat + deep)))
    wood += [bar((0.5 - half, y), (0.5 + half, y), post) for y in (top + 0.02, seat - 0.1)]
    count = draws.integer(4, 26)
    x = 0.5 + half * np.linspace(-1, 1, count + 2)[1:-1]
    back_top, back_bottom = np.full(count, top + 0.02), np.full(count, seat - 0.1)
    cane = min(draws.uniform(2, 8) * PX, half / count)
    slats: Loops = [bars(np.stack((x, back_top), axis=1), np.stack((x, back_bottom), axis=1), cane)]
    if draws.chance(0.6):
        rows = draws.integer(5, 24)
        y = np.linspace(top + 0.02, seat - 0.1, rows)
        slats.append(bars(np.stack((np.full(rows, 0.5 - half), y), axis=1), np.stack((np.full(rows, 0.5 + half), y), axis=1), min(cane, 0.12 / rows)))
    return [Part(slats, 1), Part(wood)]


KINDS: dict[str, Callable[[Draws], list[Part]]] = {
    "bicycle": bicycle, "gate": gate, "tree": tree, "mast": mast, "racket": racket,
    "ferris wheel": big_wheel, "cobweb": cobweb, "basket": basket, "chair": chair,
}  # fmt: skip


def paint(canvas: Canvas, draws: Draws) -> None:
    """One thin structure in front of a background."""
    name = draws.pick((*KINDS, "bicycle", "gate", "mast"))
    parts = KINDS[name](draws.child())
    scale, turn, flip = draws.uniform(0.8, 1.08), draws.bell(0.012), draws.chance(0.5)
    centre = 0.5 + draws.bell(0.03), 0.5 + draws.bell(0.02)
    moved = []
    for part in parts:
        loops = [loop - 0.5 for loop in part.loops]
        moved.append(Part(placed(mirrored(loops) if flip else loops, scale, turn, centre), part.role))
    backdrop(canvas, draws.child())
    if name == "tree":
        body = near(draws, (0.03, 0.12), (0.1, 0.5), (0.08, 0.4))
    elif name == "cobweb":
        body = hsv(0.6, 0.05, draws.uniform(0.85, 1.0))
    else:
        body = any_colour(draws)
    material = Material(draws, body, 0.06, 6.0, draws.pick(("plain", "plain", "mottled")))
    dark = draws.pick((near(draws, (0.0, 1.0), (0.0, 0.2), (0.05, 0.3)), hsv(0.6, 0.03, draws.uniform(0.6, 0.9)), any_colour(draws)))
    look = Look(material, (dark, any_colour(draws)), draws.uniform(0.002, 0.006), draws.unit(), draws.uniform(0.3, 0.8))
    if name not in ("cobweb", "tree", "racket"):
        canvas.shade((centre[0] + draws.bell(0.05), 0.93), (0.4, 0.05), draws.uniform(0.2, 0.6))
    canvas.instance(name, moved, look)
