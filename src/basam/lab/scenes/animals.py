"""Outlines of animals: lists of parts in a frame of about [-1, 1], head to the right, x right and y down.

Role 0 is the body, 1 a second colour (fins, wings, belly), 2 dark details (eyes, claws).
"""

from __future__ import annotations

import numpy as np

from basam.lab.scenes.canvas import Part
from basam.lab.scenes.draws import Draws, direction
from basam.lab.scenes.shapes import Point, curve, ellipse, mirrored, polygon, profile, smooth, tube

Loops = list[np.ndarray]


def limb(
    start: Point, turn: float, lengths: tuple[float, ...], bend: float, widths: tuple[float, float]
) -> tuple[Loops, Point]:
    """A jointed limb: pieces of these lengths, turning by bend at every joint, tapering; also returns its end."""
    points = [start]
    for length in lengths:
        c, s = direction(turn)
        points.append((points[-1][0] + c * length, points[-1][1] + s * length))
        turn += bend
    path = curve(points, 5)
    return tube(path, np.linspace(widths[0], widths[1], len(path))), points[-1]


def fish(draws: Draws) -> list[Part]:
    """Side view with tail and fins."""
    deep = draws.uniform(0.22, 0.5)
    body = smooth(
        [
            (0.95, 0.02),
            (0.6, -deep * 0.75),
            (0.1, -deep),
            (-0.45, -deep * 0.4),
            (-0.7, -0.05),
            (-0.7, 0.06),
            (-0.4, deep * 0.45),
            (0.15, deep * 0.9),
            (0.65, deep * 0.6),
        ]
    )
    fork = draws.uniform(0.25, 0.45)
    tail = smooth([(-0.62, 0.0), (-0.8, -fork * 0.6), (-1.05, -fork), (-0.92, 0.0), (-1.05, fork), (-0.8, fork * 0.6)], 5)
    high = draws.uniform(0.12, 0.35)
    back = smooth([(0.4, -deep * 0.8), (0.1, -deep - high), (-0.3, -deep * 0.7 - high * 0.7), (-0.4, -deep * 0.4)], 5)
    belly = smooth([(0.0, deep * 0.8), (-0.2, deep + high * 0.6), (-0.35, deep * 0.5)], 5)
    fin = smooth([(0.3, 0.08), (0.05, 0.26), (0.12, 0.02)], 4)
    return [Part([tail, back, belly], 1), Part([body]), Part([fin], 1), Part([ellipse(0.7, -deep * 0.2, 0.045, points=24)], 2)]


def lizard(draws: Draws) -> list[Part]:
    """From above: curved spine, four legs with toes."""
    wave = draws.uniform(-0.3, 0.3)
    spine = curve(
        [
            (0.8, 0.0),
            (0.45, wave * 0.4),
            (0.0, -wave * 0.3),
            (-0.35, 0.0),
            (-0.7, wave),
            (-1.1, wave * draws.uniform(-0.6, 1.6)),
        ],
        6,
    )
    thick = profile(len(spine), (0, 0.1), (0.1, 0.22), (0.2, 0.14), (0.35, 0.27), (0.55, 0.2), (0.7, 0.1), (1, 0.015))
    loops = tube(spine, thick)
    for x, y, out in ((0.38, wave * 0.3, 0.08), (-0.25, 0.0, -0.06)):
        for side in (-1, 1):
            leg, foot = limb(
                (x, y), side * (0.25 - out + draws.bell(0.03)), (0.22, 0.2), side * out * draws.uniform(1.0, 3.0), (0.1, 0.05)
            )
            loops += leg
            for toe in (-0.09, 0.0, 0.09):
                loops += limb(foot, side * (0.22 - out) + toe, (0.09,), 0.0, (0.03, 0.012))[0]
    eyes = [ellipse(0.72, s * 0.075, 0.025, points=16) for s in (-1, 1)]
    return [Part(loops), Part(eyes, 2)]


def frog(draws: Draws) -> list[Part]:
    """A toad or frog from above."""
    wide = draws.uniform(0.38, 0.5)
    body = smooth(
        [
            (0.75, 0.0),
            (0.6, -wide * 0.6),
            (0.35, -wide * 0.72),
            (-0.1, -wide),
            (-0.55, -wide * 0.6),
            (-0.65, 0.0),
            (-0.55, wide * 0.6),
            (-0.1, wide),
            (0.35, wide * 0.72),
            (0.6, wide * 0.6),
        ]
    )
    loops = [body]
    for side in (-1, 1):
        thigh, knee = limb((-0.35, side * wide * 0.6), side * draws.uniform(0.12, 0.22), (0.35,), 0.0, (0.3, 0.2))
        shin, foot = limb(knee, side * draws.uniform(0.38, 0.47), (0.42,), 0.0, (0.16, 0.08))
        arm, hand = limb((0.35, side * wide * 0.6), side * draws.uniform(0.1, 0.2), (0.2, 0.18), side * -0.08, (0.14, 0.07))
        loops += thigh + shin + arm
        for end, out in ((foot, 0.3), (hand, 0.05)):
            for toe in (-0.1, 0.0, 0.1):
                loops += limb(end, side * out + toe, (0.13,), 0.0, (0.045, 0.02))[0]
    bumps = [ellipse(0.48, s * wide * 0.5, 0.1, 0.085, points=24) for s in (-1, 1)]
    return [Part(loops + bumps), Part([ellipse(0.5, s * wide * 0.52, 0.045, points=20) for s in (-1, 1)], 2)]


def moth(draws: Draws) -> list[Part]:
    """A moth or butterfly with spread wings."""
    up, out = draws.uniform(0.5, 0.85), draws.uniform(0.85, 1.0)
    fore = smooth([(0.05, -0.25), (out * 0.7, -up), (out, -up * 0.85), (out * 0.8, -0.1), (0.4, 0.05), (0.05, 0.05)])
    low = draws.uniform(0.45, 0.85)
    hind = smooth([(0.05, 0.0), (0.5, 0.0), (0.75 * out, 0.3), (0.6 * out, low), (0.3, low * 0.75), (0.06, 0.3)])
    spot = [
        ellipse(out * 0.62, -up * 0.5, draws.uniform(0.06, 0.15), points=28),
        ellipse(0.42, low * 0.5, draws.uniform(0.05, 0.12), points=28),
    ]
    feeler = tube(curve([(0.03, -0.35), (0.12, -0.55), (0.25, -0.68)], 4), 0.022)
    body = tube(np.array([(0, -0.38), (0, -0.2), (0, 0.1), (0, 0.4)]), (0.1, 0.15, 0.14, 0.05))
    return [
        Part([fore, hind, *mirrored([fore, hind])]),
        Part(spot + mirrored(spot), 1),
        Part(body + feeler + mirrored(feeler), 2),
    ]


def owl(draws: Draws) -> list[Part]:
    """A sitting owl from the front."""
    wide, ears = draws.uniform(0.42, 0.56), draws.uniform(0.05, 0.25)
    body = smooth(
        [
            (0.0, -0.78),
            (0.3, -0.8),
            (0.42, -0.55),
            (wide, -0.05),
            (wide * 0.85, 0.5),
            (0.2, 0.85),
            (-0.2, 0.85),
            (-wide * 0.85, 0.5),
            (-wide, -0.05),
            (-0.42, -0.55),
            (-0.3, -0.8),
        ]
    )
    tuft = polygon((0.18, -0.72), (0.36, -0.8 - ears), (0.4, -0.55))
    wing = smooth([(wide * 0.98, -0.2), (wide * 1.05, 0.3), (wide * 0.6, 0.72), (wide * 0.62, 0.1)])
    face = [ellipse(0.19, -0.5, 0.19, points=32)]
    eyes = [ellipse(s * 0.18, -0.5, 0.08, points=24) for s in (-1, 1)]
    return [
        Part([body, tuft, *mirrored([tuft])]), Part([wing, *mirrored([wing]), *face, *mirrored(face)], 1),
        Part([*eyes, polygon((-0.05, -0.42), (0.05, -0.42), (0, -0.28))], 2),
    ]  # fmt: skip


def snake(draws: Draws) -> list[Part]:
    """A winding body that tapers."""
    count = draws.integer(6, 9)
    x = np.linspace(0.95, -0.95, count)
    y = np.where(np.arange(count) % 2, 1.0, -1.0) * draws.array(0.2, 0.55, count)
    y[0] *= 0.3
    path = curve(np.stack((x, y), axis=1), 10)
    thick = profile(len(path), (0, 0.1), (0.03, 0.19), (0.08, 0.12), (0.4, 0.2), (1, 0.02)) * draws.uniform(0.7, 1.1)
    return [Part(tube(path, thick)), Part([ellipse(float(path[2, 0]), float(path[2, 1]) - 0.03, 0.02, points=16)], 2)]


def quadruped(draws: Draws) -> list[Part]:
    """A cat, dog, deer or horse from the side."""
    leg, neck = draws.uniform(0.35, 0.62), draws.uniform(0.1, 0.5)
    deep = draws.uniform(0.17, 0.25)
    body = smooth(
        [
            (0.5, -0.2),
            (0.1, -0.2 + draws.bell(0.02)),
            (-0.45, -0.24),
            (-0.6, -0.05),
            (-0.45, deep),
            (0.0, deep + 0.03),
            (0.4, deep + 0.06),
            (0.6, 0.0),
        ]
    )
    head = (0.68 + 0.12 * draws.unit(), -0.3 - neck)
    nape = tube(np.array([(0.42, -0.04), ((0.42 + head[0]) / 2, -0.15 - neck * 0.5), head]), (0.42, 0.28, 0.2))
    muzzle = tube(np.array([head, (head[0] + 0.25, head[1] + 0.09)]), (0.24, draws.uniform(0.1, 0.16)))
    ear = polygon(
        (head[0] - 0.1, head[1] - 0.05), (head[0] - 0.09, head[1] - draws.uniform(0.2, 0.34)), (head[0] + 0.05, head[1] - 0.1)
    )
    legs: Loops = []
    for x, knee in ((0.45, 0.02), (0.3, -0.02), (-0.4, -0.03), (-0.53, 0.04)):
        step = draws.bell(0.1)
        legs += tube(
            curve([(x, 0.05), (x + knee + step * 0.4, 0.1 + leg * 0.55), (x + step, 0.2 + leg)], 4), np.linspace(0.2, 0.08, 9)
        )
        legs += tube(np.array([(x + step, 0.2 + leg), (x + step + 0.08, 0.21 + leg)]), 0.075)
    tail = tube(
        curve([(-0.55, -0.15), (-0.8, draws.uniform(-0.35, 0.1)), (-0.9, draws.uniform(-0.5, 0.4))], 6),
        np.linspace(0.1, 0.04, 13),
    )
    belly = smooth([(0.4, deep + 0.02), (0.0, deep - 0.03), (-0.4, deep - 0.04), (-0.1, deep + 0.03)], 4)
    eye = ellipse(head[0] + 0.06, head[1] - 0.02, 0.025, points=16)
    return [
        Part([body, *nape, *muzzle, ear, *legs, *tail]),
        Part([belly], 1),
        Part([eye, ellipse(head[0] + 0.3, head[1] + 0.09, 0.035, points=16)], 2),
    ]


def crab(draws: Draws) -> list[Part]:
    """A crab or spider from above: round body, eight legs, sometimes claws."""
    body = [ellipse(0, 0, 0.34, draws.uniform(0.24, 0.36))]
    loops: Loops = list(body)
    claws = draws.chance(0.5)
    for side in (-1.0, 1.0):
        for k in range(4):
            turn = (0.25 * side - 0.25) % 1.0 + side * (0.07 * (k - 1.5)) + (0.25 if side > 0 else -0.25) + draws.bell(0.008)
            loops += limb((side * 0.25, (k - 1.5) * 0.12), turn - 0.25 * side, (0.32, 0.3, 0.22), 0.07 * side, (0.085, 0.02))[0]
        if claws:
            arm, end = limb((side * 0.25, -0.2), -0.25 + side * 0.12, (0.25, 0.2), -0.1 * side, (0.1, 0.09))
            loops += [*arm, ellipse(end[0], end[1] - 0.08, 0.1, 0.14, points=28)]
    if not claws:
        loops.append(ellipse(0, 0.38, 0.28, 0.34))
    return [Part(loops), Part([ellipse(s * 0.09, -0.22, 0.03, points=16) for s in (-1, 1)], 2)]


def bird(draws: Draws) -> list[Part]:
    """A perching bird from the side."""
    plump = draws.uniform(0.26, 0.4)
    body = smooth(
        [
            (0.6, -0.45),
            (0.38, -0.6),
            (0.15, -0.42),
            (-0.3, -0.15),
            (-0.55, 0.15),
            (-0.3, plump),
            (0.15, plump),
            (0.45, 0.1),
            (0.55, -0.25),
        ]
    )
    beak = polygon((0.55, -0.5), (0.6 + draws.uniform(0.15, 0.35), -0.4), (0.54, -0.36))
    tail = polygon((-0.4, 0.0), (-1.0, draws.uniform(0.1, 0.5)), (-0.9, draws.uniform(0.4, 0.6)), (-0.35, 0.25))
    wing = smooth([(0.15, -0.2), (-0.2, -0.15), (-0.7, 0.2), (-0.2, 0.2), (0.12, 0.1)])
    legs = [loop for x in (-0.05, 0.12) for loop in tube(np.array([(x, 0.25), (x + 0.05, 0.62), (x + 0.16, 0.64)]), 0.04)]
    return [Part([body, tail]), Part([wing], 1), Part([*legs, beak, ellipse(0.42, -0.45, 0.035, points=20)], 2)]


ANIMALS = {
    "fish": fish,
    "lizard": lizard,
    "frog": frog,
    "moth": moth,
    "owl": owl,
    "snake": snake,
    "cat": quadruped,
    "crab": crab,
    "bird": bird,
}
