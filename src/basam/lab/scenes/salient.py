"""Domain `salient`, after DUTS: one or two clear things with volume and light in front of a background."""

from __future__ import annotations

from basam.lab.scenes.animals import ANIMALS
from basam.lab.scenes.backdrops import backdrop, vignette
from basam.lab.scenes.canvas import Canvas, Look
from basam.lab.scenes.draws import Colour, Draws, hsv
from basam.lab.scenes.layout import Placement, visible
from basam.lab.scenes.material import Material, any_colour, near
from basam.lab.scenes.things import THINGS

KINDS = {**ANIMALS, **THINGS}
FREE = frozenset(("kite", "moth", "fish", "lizard", "crab", "frog", "snake"))  # may lie any way round and anywhere
NATURAL = frozenset(ANIMALS) | {"stone"}


def look_of(name: str, draws: Draws, light: float, radius: float) -> Look:
    """Colours, pattern and shading as such a thing may have them; radius in the unit square."""
    fur = near(draws, (0.02, 0.14), (0.1, 0.6), (0.2, 0.8))
    body = fur if name in NATURAL and draws.chance(0.7) else any_colour(draws)
    detail: tuple[Colour, ...] = (any_colour(draws), hsv(draws.unit(), 0.3, draws.uniform(0.03, 0.15)), any_colour(draws))
    if name == "person":
        skin, hair = near(draws, (0.03, 0.09), (0.25, 0.55), (0.3, 0.95)), near(draws, (0.03, 0.12), (0.2, 0.6), (0.05, 0.6))
        detail = (any_colour(draws), skin, hair)
    elif name in ("potted plant", "apple"):
        detail = (near(draws, (0.2, 0.38), (0.4, 0.8), (0.25, 0.6)), near(draws, (0.05, 0.15), (0.4, 0.9), (0.2, 0.8)))
    elif name == "car":
        detail = (hsv(0.58, 0.2, draws.uniform(0.15, 0.5)), hsv(0.0, 0.0, 0.08), hsv(0.6, 0.03, 0.7))
    cells = draws.uniform(1.0, 2.5) / radius
    material = Material(draws, body, draws.uniform(0.02, 0.08), cells, octaves=8)
    return Look(material, detail, radius * draws.uniform(0.15, 0.4), light, draws.uniform(0.5, 1.1))


def paint(canvas: Canvas, draws: Draws) -> None:
    """One or two things, prominent in size and place."""
    horizon = backdrop(canvas, draws.child())
    light = draws.uniform(0.5, 1.0)
    two = draws.chance(0.3)
    placements = []
    for k in range(1 + two):
        name = draws.pick(tuple(KINDS))
        radius = draws.uniform(0.14, 0.26) if two else draws.uniform(0.18, 0.42)
        x = (0.3 + 0.4 * k if two else 0.5) + draws.bell(0.05)
        base = draws.uniform(min(max(horizon, 0.5) + 0.08, 0.9), 0.98)
        y = draws.uniform(0.3, 0.6) if name in FREE else max(base - 0.93 * radius, 0.8 * radius)
        turn = draws.unit() if name in FREE or draws.chance(0.1) else draws.bell(0.02)
        placements.append(Placement(name, KINDS[name](draws.child()), (x, y), radius, turn, draws.chance(0.5)))
    for placement in visible(placements, 0.01):
        x, y = placement.centre
        if placement.name not in FREE and draws.chance(0.85):
            canvas.shade(
                (x + draws.bell(0.03), y + placement.radius * 0.92),
                (placement.radius * 1.3, placement.radius * 0.3),
                draws.uniform(0.3, 0.8),
            )
        canvas.instance(placement.name, placement.parts, look_of(placement.name, draws.child(), light, placement.radius))
    if draws.chance(0.4):
        vignette(canvas, draws.uniform(0.1, 0.6))
