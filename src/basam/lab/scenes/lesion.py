"""Domain `lesion`, after ISIC: a dermoscopic picture of a pigmented spot with soft edges on skin, and occluding hair and marks.

The mask is the outline of the spot; hairs, bubbles and rulers are not cut out of it, as dermatologists do not cut them out.
"""

from __future__ import annotations

import numpy as np

from basam.lab.scenes.canvas import HALF, Canvas, blurred
from basam.lab.scenes.draws import Array, Colour, Draws, direction, hsv
from basam.lab.scenes.material import Material, near
from basam.lab.scenes.noise import Noise
from basam.lab.scenes.raster import bounds, coverage, full
from basam.lab.scenes.shapes import bar, bars, blob, curve, ellipse, placed, polygon, ring, tube


def paint(canvas: Canvas, draws: Draws) -> None:
    """Skin, spot, then gel bubbles, hairs, ruler and the dark edge of the dermatoscope."""
    skin = (
        near(draws, (0.0, 0.085), (0.15, 0.5), (0.55, 0.95))
        if draws.chance(0.85)
        else near(draws, (0.02, 0.07), (0.4, 0.65), (0.3, 0.55))
    )
    canvas.fill(
        Material(draws, skin, draws.uniform(0.006, 0.025), draws.uniform(1.5, 5), "mottled", roughness=draws.uniform(0.55, 0.8))
    )
    pores(canvas, draws.child(), skin)
    spot(canvas, draws.child(), skin)
    if draws.chance(0.25):
        patches(canvas, draws.child())
    if draws.chance(0.4):
        bubbles(canvas, draws.child())
    if draws.chance(0.5):
        hairs(canvas, draws.child())
    if draws.chance(0.3):
        ruler(canvas, draws.child())
    edge(canvas, draws.child())


def pores(canvas: Canvas, draws: Draws, skin: Colour) -> None:
    """Fine lines and pink blotches of the skin."""
    window = full(canvas.size)
    blush = np.clip(Noise(draws.child(), draws.uniform(2, 6), 4).sample(canvas.size, window) - HALF, 0, 1)
    canvas.blend(blush * np.float32(draws.uniform(0, 0.25)), window, (skin[0], skin[1] * 0.72, skin[2] * 0.72))
    grain = Noise(draws.child(), draws.uniform(40, 90), 4, 0.7).sample(canvas.size, window)
    canvas.image *= 1 + grain * np.float32(draws.uniform(0.004, 0.025))


def spot(canvas: Canvas, draws: Draws, skin: Colour) -> None:
    """The lesion: an irregular outline, nested fields of pigment, a network or dots, and an edge that fades."""
    radius = draws.uniform(0.12, 0.42)
    centre = 0.5 + draws.bell(0.05), 0.5 + draws.bell(0.05)
    turn = draws.unit()
    shape = placed(
        [blob(draws, draws.integer(4, 30), draws.skewed(0.1, 0.42), 192)],
        (radius, radius * draws.uniform(0.65, 1.0)),
        turn,
        centre,
    )
    dark = near(draws, (0.0, 0.09), (0.35, 0.75), (0.15, 0.6))
    share = draws.uniform(0.45, 1.0)
    pigment = [s * (1 - share + (d + 0.25) * share) for s, d in zip(skin, dark, strict=True)]  # skin seen through pigment
    soft = radius * draws.skewed(0.02, 0.3)
    margin = int(2 * soft * canvas.size) + 2
    window = bounds(shape, canvas.size).grown(margin, canvas.size)
    alpha = coverage(shape, canvas.size, window)[0]
    faded = blurred(np.pad(alpha, margin), soft * canvas.size)[margin:-margin, margin:-margin]
    uneven = Noise(draws.child(), draws.uniform(1.0, 3.0) / radius, 5, 0.6).sample(canvas.size, window)
    strength = np.clip(faded * (1 + uneven * np.float32(draws.uniform(0.03, 0.2))), 0, 1)
    cells = draws.uniform(1.5, 4) / radius
    material = Material(
        draws,
        (pigment[0], pigment[1], pigment[2]),
        draws.uniform(0.02, 0.08),
        cells,
        draws.pick(("mottled", "speckled", "plain")),
    )
    canvas.blend(strength, window, material.sample(canvas.size, window)[0])
    for _ in range(draws.integer(0, 3)):
        c, s = direction(draws.unit())
        away = draws.uniform(0, 0.4) * radius
        inner = placed(
            [blob(draws, 8, 0.35, 96)], radius * draws.uniform(0.2, 0.6), 0.0, (centre[0] + c * away, centre[1] + s * away)
        )
        tint = draws.pick(
            (
                near(draws, (0.0, 0.08), (0.4, 0.8), (0.08, 0.35)),
                near(draws, (0.55, 0.65), (0.1, 0.3), (0.35, 0.55)),
                near(draws, (0.0, 0.06), (0.3, 0.6), (0.6, 0.85)),
            )
        )
        weight = blurred(coverage(inner, canvas.size, window)[0], radius * draws.uniform(0.04, 0.15) * canvas.size)
        layer = Material(draws, tint, 0.04, cells, "mottled").sample(canvas.size, window)[0]
        canvas.blend(weight * strength * np.float32(draws.uniform(0.3, 0.8)), window, layer)
    if draws.chance(0.5):
        mesh = Noise(draws.child(), draws.uniform(9, 18) / radius, 3, 0.5).sample(canvas.size, window)
        lines = np.clip(1 - np.abs(mesh) * np.float32(1.6), 0, 1) * strength * np.float32(draws.uniform(0.15, 0.45))
        canvas.blend(lines, window, (dark[0] * 0.5, dark[1] * 0.5, dark[2] * 0.5))
    if draws.chance(0.4):
        dots = [
            ellipse(
                centre[0] + draws.bell(0.35) * radius,
                centre[1] + draws.bell(0.35) * radius,
                radius * draws.uniform(0.01, 0.04),
                points=16,
            )
            for _ in range(draws.integer(4, 30))
        ]
        canvas.shape(dots, (dark[0] * 0.4, dark[1] * 0.4, dark[2] * 0.4), 0.002, 0.75)
    canvas.own(alpha, window, "lesion")


def hairs(canvas: Canvas, draws: Draws) -> None:
    """Dark, brown or white hairs, mostly in one direction."""
    count = draws.integer(2, 26)
    main = draws.unit()
    colour = draws.pick(
        (hsv(0.05, 0.4, draws.uniform(0.03, 0.2)), hsv(0.08, 0.5, draws.uniform(0.2, 0.45)), hsv(0.1, 0.1, 0.85))
    )
    loops: list[Array] = []
    for _ in range(count):
        c, s = direction(main + draws.bell(0.06))
        length, x, y, bend = draws.uniform(0.15, 0.8), draws.uniform(-0.1, 1.1), draws.uniform(-0.1, 1.1), draws.bell(0.08)
        path = curve(
            [(x, y), (x + c * length / 2 - s * bend, y + s * length / 2 + c * bend), (x + c * length, y + s * length)], 14
        )
        loops += tube(path, np.linspace(1.0, 0.4, len(path)) * draws.uniform(0.0025, 0.0065))
    shifted = [loop + np.array([0.002, 0.003]) for loop in loops]
    canvas.shape(shifted, (0.2, 0.1, 0.08), 0.002, 0.25)
    canvas.shape(loops, colour, 0.0, draws.uniform(0.7, 0.95))


def bubbles(canvas: Canvas, draws: Draws) -> None:
    """Air in the gel: a bright rim, a dark line, a small reflection."""
    for _ in range(draws.integer(2, 16)):
        x, y, radius = draws.unit(), draws.unit(), draws.skewed(0.006, 0.05)
        canvas.shape(ring(x, y, radius, radius * 0.22, points=48), (0.95, 0.93, 0.9), 0.0012, draws.uniform(0.2, 0.55))
        canvas.shape(ring(x, y, radius * 1.08, radius * 0.1, points=48), (0.2, 0.12, 0.1), 0.001, 0.35)
        canvas.shape([ellipse(x - radius * 0.35, y - radius * 0.35, radius * 0.2, points=20)], (1.0, 1.0, 1.0), 0.001, 0.8)


def ruler(canvas: Canvas, draws: Draws) -> None:
    """A scale along one edge: ticks, every fifth and tenth one longer."""
    pitch, at = draws.uniform(0.012, 0.03), draws.uniform(0.0, 0.08)
    count = int(1.1 / pitch)
    k = np.arange(count)
    x = k * pitch - 0.05
    reach = np.where(k % 10 == 0, 0.055, np.where(k % 5 == 0, 0.04, 0.025))
    ticks = bars(np.stack((x, np.full(count, at)), axis=1), np.stack((x, at + reach), axis=1), 0.003)
    loops = [ticks, bar((-0.1, at), (1.1, at), 0.003)] if draws.chance(0.5) else [ticks]
    sides = placed([loop - 0.5 for loop in loops], 1.0, draws.integer(0, 3) / 4 + draws.bell(0.008), (0.5, 0.5))
    canvas.shape(sides, (0.05, 0.05, 0.08) if draws.chance(0.8) else (0.95, 0.95, 0.95), 0.0, draws.uniform(0.7, 1.0))


def patches(canvas: Canvas, draws: Draws) -> None:
    """Coloured stickers at the edge, for the calibration of colours."""
    colour = hsv(draws.pick((0.0, 0.1, 0.15, 0.35, 0.58, 0.75)), draws.uniform(0.5, 0.9), draws.uniform(0.6, 0.95))
    c, s = direction(draws.unit())
    x, y, radius = 0.5 + 0.6 * c, 0.5 + 0.6 * s, draws.uniform(0.1, 0.2)
    canvas.shape([ellipse(x + 0.008, y + 0.008, radius)], (0.1, 0.05, 0.05), 0.006, 0.4)
    canvas.shape([ellipse(x, y, radius, points=96)], Material(draws, colour, 0.02, 5.0, "plain"), 0.001)


def edge(canvas: Canvas, draws: Draws) -> None:
    """The round field of view with black corners, or corners that only darken, or neither."""
    kind = draws.pick(("round", "soft", "soft", "none"))
    outside = [
        polygon((-0.2, -0.2), (1.2, -0.2), (1.2, 1.2), (-0.2, 1.2)),
        ellipse(0.5 + draws.bell(0.01), 0.5 + draws.bell(0.01), draws.uniform(0.5, 0.66), points=192)[::-1],
    ]
    if kind == "round":
        canvas.shape(outside, (0.02, 0.015, 0.02), draws.uniform(0.001, 0.012))
    elif kind == "soft":
        canvas.shape(outside, (0.12, 0.06, 0.05), draws.uniform(0.05, 0.12), draws.uniform(0.3, 0.85))
