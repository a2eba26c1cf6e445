"""Outlines of everyday things and people: lists of parts in a frame of about [-1, 1] with y down.

Roles as in `animals`: 0 the body, 1 and 2 further colours.
"""

from __future__ import annotations

import numpy as np

from basam.lab.scenes.canvas import Part
from basam.lab.scenes.draws import Draws, cosine, sine
from basam.lab.scenes.shapes import bar, blob, curve, ellipse, mirrored, placed, polygon, rectangle, ring, smooth, tube

Loops = list[np.ndarray]


def person(draws: Draws) -> list[Part]:
    """Standing or walking: head, hair, trunk, arms, legs."""
    stride, lift = draws.uniform(0.02, 0.26), draws.array(0.0, 0.5, 2)
    legs: Loops = []
    for sign in (-1, 1):
        x = sign * 0.09
        legs += tube(np.array([(x, 0.0), (x + sign * stride * 0.5, 0.48), (x + sign * stride, 0.95)]), (0.23, 0.18, 0.13))
        legs += tube(np.array([(x + sign * stride, 0.97), (x + sign * stride + 0.09, 0.98)]), 0.09)
    arms: Loops = []
    for sign, raised in zip((-1, 1), lift, strict=True):
        elbow = (sign * (0.3 + 0.12 * raised), -0.25 - 0.45 * raised * draws.unit())
        arms += tube(
            curve([(sign * 0.2, -0.52), elbow, (sign * (0.24 + 0.45 * raised), -0.02 - 0.9 * raised)], 5),
            np.linspace(0.16, 0.09, 11),
        )
    trunk = smooth(
        [(0.0, -0.64), (0.24, -0.58), (0.25, -0.3), (0.19, 0.1), (0.0, 0.13), (-0.19, 0.1), (-0.25, -0.3), (-0.24, -0.58)], 5
    )
    face = [ellipse(0, -0.82, 0.115, 0.15), bar((0, -0.72), (0, -0.58), 0.11)]
    hair = smooth(
        [
            (0.13, -0.84),
            (0.11, -0.98),
            (-0.02, -1.02),
            (-0.13, -0.97),
            (-0.15, -0.8 + draws.uniform(0, 0.25)),
            (-0.08, -0.86),
            (0.0, -0.92),
        ],
        4,
    )
    return [Part([*legs, trunk], 1), Part([trunk, *arms]), Part(face, 2), Part([hair], 3)]


def car(draws: Draws) -> list[Part]:
    """A car or van from the side."""
    roof = draws.uniform(-0.42, -0.28)
    a, b = draws.uniform(-0.62, -0.4), draws.uniform(0.3, 0.5)
    body = smooth(
        [
            (-0.98, 0.2),
            (-0.98, -0.03),
            (a - 0.14, -0.1),
            (a + 0.1, roof),
            (0.0, roof - 0.03),
            (b - 0.1, roof),
            (b + 0.2, -0.1),
            (0.93, -0.02),
            (1.0, 0.2),
            (0.6, 0.24),
            (-0.6, 0.24),
        ],
        5,
    )
    glass = [
        polygon((a, -0.1), (a + 0.15, roof + 0.06), (-0.04, roof + 0.05), (-0.04, -0.1)),
        polygon((0.02, -0.1), (0.02, roof + 0.05), (b - 0.1, roof + 0.06), (b + 0.1, -0.1)),
    ]
    wheels = [ellipse(x, 0.24, 0.19) for x in (-0.58, 0.58)]
    hubs = [ellipse(x, 0.24, 0.09, points=32) for x in (-0.58, 0.58)]
    return [Part([body]), Part(glass, 1), Part(wheels, 2), Part(hubs, 3)]


def bottle(draws: Draws) -> list[Part]:
    """A bottle with neck, cap and label."""
    wide, neck, shoulder = draws.uniform(0.2, 0.38), draws.uniform(0.07, 0.12), draws.uniform(-0.4, -0.05)
    body = smooth(
        [
            (neck, -0.75),
            (neck, -0.5),
            (wide * 0.9, shoulder),
            (wide, shoulder + 0.15),
            (wide, 0.85),
            (wide * 0.9, 0.97),
            (-wide * 0.9, 0.97),
            (-wide, 0.85),
            (-wide, shoulder + 0.15),
            (-wide * 0.9, shoulder),
            (-neck, -0.5),
            (-neck, -0.75),
        ],
        5,
    )
    label = rectangle(-wide * 0.99, draws.uniform(0.1, 0.3), wide * 0.99, draws.uniform(0.5, 0.75))
    return [Part([body]), Part([label], 1), Part([rectangle(-neck * 1.2, -0.98, neck * 1.2, -0.74)], 2)]


def cup(draws: Draws) -> list[Part]:
    """A mug with its handle."""
    top, bottom = draws.uniform(0.5, 0.65), draws.uniform(0.32, 0.6)
    body = polygon((-top, -0.6), (top, -0.6), (bottom, 0.7), (-bottom, 0.7))
    foot, rim = ellipse(0, 0.7, bottom, 0.14), ellipse(0, -0.6, top, 0.16)
    handle = ring(top + 0.02, 0.0, draws.uniform(0.3, 0.4), 0.11, 1.1)
    return [
        Part([body, foot, ellipse(0, -0.6, top, 0.16), *handle]),
        Part([rim], 2),
        Part([rectangle(-top * 0.9, -0.1, top * 0.9, 0.15)] if draws.chance(0.4) else [], 1),
    ]


def ball(draws: Draws) -> list[Part]:
    """A ball with coloured lunes or patches."""
    shape = [ellipse(0, 0, 0.9, points=128)]
    if draws.chance(0.5):
        patches = [ellipse(0, 0, w, 0.88) for w in (0.3,)] + [ellipse(0, 0, 0.85, 0.2, 0.0)]
    else:
        patches = [
            ellipse(float(x) * 0.62, float(y) * 0.62, 0.2, points=6)
            for x, y in zip(cosine(np.arange(5) / 5), sine(np.arange(5) / 5), strict=True)
        ]
        patches.append(ellipse(0, 0, 0.2, points=5))
    return [Part(shape), Part(placed(patches, 1.0, draws.unit()), 1)]


def umbrella(draws: Draws) -> list[Part]:
    """Canopy with a scalloped rim, stick and crook."""
    count = draws.integer(4, 7)
    edges = np.linspace(-0.95, 0.95, count + 1)
    rim = [
        p for a, b in zip(edges[::-1][:-1], edges[::-1][1:], strict=True) for p in ((float(a), 0.1), (float(a + b) / 2, 0.0))
    ]
    dome = 0.5 + 0.5 * np.arange(25) / 24
    arch = [(float(c) * 0.95, 0.1 + float(s) * 0.8) for c, s in zip(cosine(dome), sine(dome), strict=True)]
    canopy = polygon(*arch, *rim)
    ribs = [
        loop for x in edges[1:-1:2] for loop in tube(curve([(0.0, -0.68), (float(x) * 0.7, -0.4), (float(x), 0.08)], 4), 0.02)
    ]
    stick = tube(curve([(0.0, -0.75), (0.0, 0.0), (0.0, 0.8), (0.08, 0.93), (0.18, 0.82)], 5), 0.05)
    return [Part(stick, 2), Part([canopy]), Part(ribs, 1)]


def kite(draws: Draws) -> list[Part]:
    """A diamond kite with a tail."""
    half, cross = draws.uniform(0.4, 0.6), draws.uniform(-0.4, -0.15)
    diamond = polygon((0, -0.95), (half, cross), (0, 0.45), (-half, cross))
    patches = [polygon((0, -0.95), (half, cross), (0, cross)), polygon((0, 0.45), (-half, cross), (0, cross))]
    tail = tube(curve([(0, 0.45), (0.1, 0.62), (-0.1, 0.8), (0.1, 1.0)], 5), 0.04)
    return [Part(tail, 2), Part([diamond]), Part(patches, 1)]


def flower(draws: Draws) -> list[Part]:
    """A blossom with petals, stalk and leaves."""
    count, reach = draws.integer(5, 14), draws.uniform(0.32, 0.42)
    turns = np.arange(count) / count
    petals = [
        ellipse(float(c) * reach, -0.4 + float(s) * reach, reach * 0.62, reach * 1.9 / count + 0.06, float(t), 40)
        for c, s, t in zip(cosine(turns), sine(turns), turns, strict=True)
    ]
    stalk = tube(curve([(0, -0.3), (draws.bell(0.06), 0.3), (draws.bell(0.1), 1.0)], 6), 0.06)
    leaf = smooth([(0.0, 0.62), (0.25, 0.3), (0.6, 0.25), (0.35, 0.55)], 5)
    return [
        Part([*stalk, leaf, *(mirrored([leaf]) if draws.chance(0.5) else [])], 1),
        Part(petals),
        Part([ellipse(0, -0.4, draws.uniform(0.13, 0.22))], 2),
    ]


def mushroom(draws: Draws) -> list[Part]:
    """Cap with spots on a stem."""
    wide, high = draws.uniform(0.6, 0.9), draws.uniform(0.5, 0.85)
    cap = smooth([(-wide, 0.05), (-wide * 0.8, -high * 0.6), (0, -high), (wide * 0.8, -high * 0.6), (wide, 0.05), (0, 0.18)])
    stem = smooth([(-0.17, 0.0), (-0.16, 0.6), (-0.26, 0.95), (0.26, 0.95), (0.16, 0.6), (0.17, 0.0)])
    spots = [
        ellipse(x * wide, -high * (0.25 + 0.4 * (1 - abs(x))) + 0.05, 0.09 + 0.04 * draws.unit(), 0.07, points=24)
        for x in (-0.55, -0.2, 0.15, 0.5)
    ]
    return [Part([stem], 1), Part([cap]), Part(spots if draws.chance(0.6) else [], 1)]


def fruit(draws: Draws) -> list[Part]:
    """An apple, pear or orange with stalk and leaf."""
    top = draws.uniform(0.3, 0.75)
    body = smooth(
        [
            (0.0, -0.55),
            (top * 0.8, -0.65),
            (0.75, 0.0),
            (0.6, 0.6),
            (0.15, 0.8),
            (-0.15, 0.8),
            (-0.6, 0.6),
            (-0.75, 0.0),
            (-top * 0.8, -0.65),
        ]
    )
    leaf = smooth([(0.04, -0.72), (0.25, -0.98), (0.6, -0.9), (0.3, -0.7)], 5)
    return [
        Part([body]),
        Part([leaf] if draws.chance(0.6) else [], 1),
        Part(tube(curve([(0, -0.5), (0.03, -0.75), (0.1, -0.9)], 4), 0.06), 2),
    ]


def book(draws: Draws) -> list[Part]:
    """A closed book, parcel or box seen at an angle."""
    high, deep = draws.uniform(0.3, 0.8), draws.uniform(0.15, 0.4)
    front = polygon((-0.8, -high), (0.6, -high), (0.6, high), (-0.8, high))
    side = polygon((0.6, -high), (0.6 + deep, -high - deep * 0.6), (0.6 + deep, high - deep * 0.6), (0.6, high))
    lid = polygon((-0.8, -high), (0.6, -high), (0.6 + deep, -high - deep * 0.6), (-0.8 + deep, -high - deep * 0.6))
    band = rectangle(-0.8, -high * 0.5, 0.6, -high * draws.uniform(0.0, 0.3))
    return [Part([front]), Part([side], 2), Part([lid], 3), Part([band], 1)]


def stool(draws: Draws) -> list[Part]:
    """A stool or small table: top, legs, rung."""
    half, top = draws.uniform(0.5, 0.9), draws.uniform(-0.6, -0.1)
    legs = [bar((s * half * 0.75 * k, top), (s * half * k, 0.95 - 0.15 * (1 - k)), 0.1) for s in (-1, 1) for k in (1.0, 0.55)]
    return [
        Part([*legs, bar((-half * 0.85, 0.5), (half * 0.85, 0.5), 0.07)], 1),
        Part([ellipse(0, top, half, 0.2), rectangle(-half, top, half, top + 0.04)]),
    ]


def stone(draws: Draws) -> list[Part]:
    """A stone, cushion or other lump."""
    return [Part(placed([blob(draws, 5, draws.uniform(0.3, 0.9))], (0.85, draws.uniform(0.5, 0.85))))]


THINGS = {
    "person": person, "car": car, "bottle": bottle, "cup": cup, "sports ball": ball, "umbrella": umbrella, "kite": kite,
    "potted plant": flower, "mushroom": mushroom, "apple": fruit, "book": book, "chair": stool, "stone": stone,
}  # fmt: skip
