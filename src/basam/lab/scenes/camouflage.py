"""Domain `camouflage`, after COD10K: an animal whose surface is a piece of its surroundings.

The piece is taken from elsewhere in the same picture, so colours and textures agree and only their phase differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from basam.lab.scenes.animals import ANIMALS
from basam.lab.scenes.canvas import Canvas, Look, Part
from basam.lab.scenes.draws import Array, Colour, Draws, cosine, sine
from basam.lab.scenes.layout import Placement, visible
from basam.lab.scenes.material import Material, near
from basam.lab.scenes.shapes import blob, curve, smooth, tube

STEPS = 32  # the surroundings are shifted by multiples of 1/32 of the picture, a whole number of pixels at the usual sizes


def scattered(
    draws: Draws, template: Array, count: int, size: tuple[float, float], turns: tuple[float, float] = (0.0, 1.0)
) -> Array:
    """Copies of an outline (points, 2) all over the picture, sizes and directions in ranges: (count, points, 2)."""
    turn = draws.array(*turns, count)
    c, s = cosine(turn)[:, None], sine(turn)[:, None]
    scale = draws.array(*size, count)[:, None]
    x, y = template[:, 0] * scale, template[:, 1] * scale
    at = draws.array(-0.05, 1.05, 2 * count).reshape(2, count, 1)
    return np.stack((x * c - y * s + at[0], x * s + y * c + at[1]), axis=-1)


def leaf(draws: Draws) -> Array:
    """A pointed leaf, narrow or broad."""
    half = draws.uniform(0.22, 0.4)
    return smooth([(-1, 0), (-0.3, -half), (0.4, -0.8 * half), (1, 0), (0.4, 0.8 * half), (-0.3, half)], 4)


def blade(draws: Draws) -> Array:
    """A blade of grass."""
    return tube(curve([(-1, 0), (0, draws.bell(0.12)), (1, draws.bell(0.2))], 4), np.linspace(0.09, 0.01, 9))[0]


def pebble(draws: Draws) -> Array:
    """A small stone."""
    return blob(draws, 3, 0.3, 18)


def fronds(draws: Draws) -> Array:
    """A lobed patch, as of coral or lichen."""
    return blob(draws, 9, 1.1, 48)


def varied(draws: Draws, colour: Colour, spread: float) -> Colour:
    """A colour near another one: lighter or darker, a little warmer or colder."""
    gain, warm = 1 + draws.bell(spread), draws.bell(spread * 0.3)
    return colour[0] * gain * (1 + warm), colour[1] * gain, colour[2] * gain * (1 - warm)


class Habitat(NamedTuple):
    """A material of the habitat."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]
    contrast: float
    cells: tuple[float, float]  # of the ground's noise along y and x
    template: Callable[[Draws], Array]  # outline of the things
    size: tuple[float, float]  # of these things in the unit square
    turns: tuple[float, float]  # their directions
    number: int  # of these things per colour


HABITATS = (
    Habitat((0.04, 0.12), (0.25, 0.6), (0.25, 0.6), 0.08, (6.0, 6.0), leaf, (0.02, 0.075), (0.0, 1.0), 90),  # leaf litter
    Habitat((0.2, 0.36), (0.3, 0.7), (0.2, 0.55), 0.08, (5.0, 5.0), leaf, (0.03, 0.1), (0.0, 1.0), 70),  # foliage
    Habitat((0.14, 0.3), (0.25, 0.6), (0.3, 0.6), 0.08, (4.0, 14.0), blade, (0.06, 0.25), (0.68, 0.82), 110),  # grass
    Habitat((0.0, 0.16), (0.03, 0.25), (0.35, 0.7), 0.07, (7.0, 7.0), pebble, (0.008, 0.035), (0.0, 1.0), 130),  # pebbles
    Habitat((0.07, 0.13), (0.15, 0.4), (0.5, 0.8), 0.045, (9.0, 6.0), pebble, (0.003, 0.008), (0.0, 1.0), 60),  # sand
    Habitat((0.03, 0.12), (0.1, 0.4), (0.25, 0.6), 0.08, (3.0, 18.0), fronds, (0.02, 0.08), (0.2, 0.3), 12),  # bark
    Habitat((-0.1, 0.6), (0.2, 0.55), (0.25, 0.6), 0.08, (8.0, 8.0), fronds, (0.02, 0.09), (0.0, 1.0), 50),  # reef
    Habitat((0.5, 0.65), (0.02, 0.1), (0.65, 0.85), 0.03, (5.0, 5.0), pebble, (0.01, 0.05), (0.0, 1.0), 15),  # snow
    Habitat((0.0, 0.6), (0.02, 0.15), (0.3, 0.65), 0.06, (4.0, 5.0), fronds, (0.01, 0.07), (0.0, 1.0), 30),  # rock
)


def paint(canvas: Canvas, draws: Draws) -> None:
    """A habitat and one or two animals that look like it."""
    habitat = draws.pick(HABITATS)
    base = near(draws, habitat.hue, habitat.saturation, habitat.value)
    scale = draws.uniform(0.7, 1.6)
    stretched = habitat.cells[0] * scale, habitat.cells[1] * scale
    canvas.fill(
        Material(
            draws, base, habitat.contrast * draws.uniform(0.7, 1.3), stretched, "mottled", roughness=draws.uniform(0.6, 0.8)
        )
    )
    density = draws.uniform(0.5, 1.3)
    colours = [varied(draws, base, 0.28) for _ in range(draws.integer(2, 4))]

    def litter(share: float) -> list[Array]:
        shape = habitat.template(draws)
        return [scattered(draws, shape, max(2, int(habitat.number * density * share)), habitat.size, habitat.turns)]

    for colour in colours:
        pieces = litter(1.0)
        canvas.shape([pieces[0] + np.array([0.004, 0.005])], (0.03, 0.03, 0.03), opacity=0.4)
        canvas.shape(pieces, Material(draws, colour, 0.07, (9.0, 9.0), "plain", roughness=0.7))
    placements = []
    two = draws.chance(0.12)
    for k in range(1 + two):
        name = draws.pick(tuple(ANIMALS))
        radius = draws.uniform(0.14, 0.2) if two else draws.uniform(0.16, 0.42)
        centre = (0.28 + 0.44 * k if two else 0.5 + draws.bell(0.1)), 0.5 + draws.bell(0.1)
        turn = draws.bell(0.04) if name in ("owl", "cat", "bird") else draws.unit()
        placements.append(Placement(name, ANIMALS[name](draws.child()), centre, radius, turn, draws.chance(0.5)))
    light = draws.uniform(0.5, 1.0)
    for placement in visible(placements, 0.005):
        hide(canvas, draws, placement, light, base, 1.0 if habitat.number * density > 25 else 0.5)
    if draws.chance(0.5):
        canvas.cover(
            litter(draws.uniform(0.1, 0.35)), Material(draws, draws.pick(colours), 0.07, (9.0, 9.0), "plain", roughness=0.7)
        )


def hide(canvas: Canvas, draws: Draws, placement: Placement, light: float, base: Colour, contrast: float) -> None:
    """Paint one animal, and a faint shadow, with the picture as it is elsewhere; contrast scales how that is changed."""
    shift = draws.integer(6, 26), draws.integer(6, 26)
    surface = elsewhere(canvas, shift)
    gain = 1 + draws.pick((-1, 1)) * draws.uniform(0.1, 0.3) * contrast
    for plane in surface:
        plane *= np.float32(gain + draws.bell(0.03))
    x, y = placement.centre
    canvas.shade((x, y + 0.1 * placement.radius), (placement.radius * 1.1, placement.radius), draws.uniform(0.05, 0.35))
    eye = varied(draws, (base[0] * 0.55, base[1] * 0.55, base[2] * 0.55), 0.3)
    parts = [Part(p.loops, p.role if p.role == 2 else 0) for p in placement.parts]
    material = Material(draws, base, 0.05, 4.0, "plain")
    look = Look(material, (base, eye), placement.radius * draws.uniform(0.08, 0.25), light, draws.uniform(0.5, 1.0) * contrast)
    canvas.instance(placement.name, parts, look, surface)


def elsewhere(canvas: Canvas, shift: tuple[int, int]) -> Array:
    """The picture shifted down and right by shift / STEPS of its size, mirrored at its edges: (3, size, size)."""
    index = []
    for step in shift:
        position = np.arange(canvas.size) + (step * canvas.size + STEPS // 2) // STEPS
        index.append(np.where(position < canvas.size, position, 2 * canvas.size - 1 - position))
    return canvas.image[:, index[0]][:, :, index[1]]
