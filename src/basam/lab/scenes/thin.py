"""Domain `thin`, after DIS5K: one finely structured thing with spokes, bars, wires or twigs and the holes between them.

The structures themselves are in `ironwork` and `meshes`.
"""

from __future__ import annotations

from collections.abc import Callable

from basam.lab.scenes.backdrops import backdrop
from basam.lab.scenes.canvas import Canvas, Look, Part
from basam.lab.scenes.draws import Draws, hsv
from basam.lab.scenes.ironwork import bicycle, big_wheel, gate, mast
from basam.lab.scenes.material import Material, any_colour, near
from basam.lab.scenes.meshes import basket, chair, cobweb, racket, tree
from basam.lab.scenes.shapes import placed

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
        moved.append(Part(placed(loops, scale, turn, centre, flip), part.role))
    backdrop(canvas, draws.child())
    if name == "tree":
        body = near(draws, (0.03, 0.12), (0.1, 0.5), (0.08, 0.4))
    elif name == "cobweb":
        body = hsv(0.6, 0.05, draws.uniform(0.85, 1.0))
    else:
        body = any_colour(draws)
    material = Material(draws, body, 0.06, 6.0, draws.pick(("plain", "plain", "mottled")))
    dark = draws.pick(
        (near(draws, (0.0, 1.0), (0.0, 0.2), (0.05, 0.3)), hsv(0.6, 0.03, draws.uniform(0.6, 0.9)), any_colour(draws))
    )
    look = Look(material, (dark, any_colour(draws)), draws.uniform(0.002, 0.006), draws.unit(), draws.uniform(0.3, 0.8))
    if name not in ("cobweb", "tree", "racket"):
        canvas.shade((centre[0] + draws.bell(0.05), 0.93), (0.4, 0.05), draws.uniform(0.2, 0.6))
    canvas.instance(name, moved, look)
