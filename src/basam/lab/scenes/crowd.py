"""Domain `crowd`, after COCO: 3 to 30 things of very different sizes that occlude one another, named as in COCO."""

from __future__ import annotations

from basam.lab.scenes.animals import ANIMALS
from basam.lab.scenes.backdrops import backdrop, landscape, room, street
from basam.lab.scenes.canvas import Canvas
from basam.lab.scenes.draws import Draws
from basam.lab.scenes.layout import Placement, visible
from basam.lab.scenes.salient import look_of
from basam.lab.scenes.things import THINGS

KINDS = {**THINGS, "bird": ANIMALS["bird"], "cat": ANIMALS["cat"]}
MOTIFS = (
    (("person", "person", "person", "car", "umbrella", "cat", "potted plant"), (street, landscape)),
    (("person", "kite", "umbrella", "sports ball", "bird", "chair"), (landscape,)),
    (("cup", "bottle", "apple", "book", "potted plant", "cup", "apple"), (room,)),
    (("cat", "bird", "person", "potted plant", "car"), (landscape,)),
    (
        ("sports ball", "apple", "cup", "book", "bottle", "kite", "cat", "bird", "chair", "person", "car", "umbrella"),
        (backdrop,),
    ),
)
# height of a thing relative to a person at the same distance, stretched towards 1 so that small things can be seen
HEIGHTS = {
    "car": 1.0,
    "bottle": 0.6,
    "cup": 0.4,
    "sports ball": 0.4,
    "apple": 0.35,
    "book": 0.5,
    "bird": 0.4,
    "cat": 0.6,
    "kite": 0.6,
    "chair": 0.6,
}
FLYING = ("kite", "bird")
SMALLEST = 0.0006  # of the picture: 39 pixels at 256, COCO's small objects are up to 0.0025 of a photograph
MOST = 30


def arrange(draws: Draws, names: tuple[str, ...], horizon: float, count: int) -> list[Placement]:
    """Things on the ground, far to near: the nearer, the lower in the picture and the larger."""
    near_size = draws.uniform(0.22, 0.55)
    cluster = draws.uniform(0.2, 0.8), draws.uniform(0.12, 0.35)
    placements = []
    for _ in range(count):
        name = draws.pick(names)
        depth = draws.unit()
        base = horizon + (1.08 - horizon) * depth
        radius = max(0.026, near_size * HEIGHTS.get(name, 0.9) * (0.1 + 0.9 * depth) * draws.uniform(0.8, 1.25))
        x = cluster[0] + draws.bell(cluster[1])
        y = base - radius * 0.9
        if name in FLYING and draws.chance(0.7):
            y = draws.uniform(0.03, max(horizon, 0.2))
            radius *= draws.uniform(0.4, 1.0)
        if not -0.02 < x < 1.02:
            x = draws.unit()
        turn = draws.bell(0.015) if draws.chance(0.85) else draws.bell(0.06)
        placements.append(Placement(name, KINDS[name](draws.child()), (x, y), radius, turn, draws.chance(0.5)))
    placements.sort(key=lambda p: p.centre[1] + 0.9 * p.radius)
    return placements


def paint(canvas: Canvas, draws: Draws) -> None:
    """A place and the things in it."""
    names, places = draws.pick(MOTIFS)
    horizon = min(draws.pick(places)(canvas, draws.child()), 0.75)
    light = draws.uniform(0.5, 1.0)
    wanted = 3 + int((MOST - 3) * draws.unit() * (0.25 + 0.75 * draws.unit()) + 0.5)
    arrangement = draws.child()
    seen = visible(arrange(arrangement, names, horizon, wanted), SMALLEST)
    while len(seen) < 3:
        seen = visible(seen + arrange(arrangement, names, horizon, 3 - len(seen)), SMALLEST)
    for placement in seen:
        x, y = placement.centre
        if placement.name not in FLYING:
            canvas.shade((x, y + placement.radius * 0.93), (placement.radius * 0.9, placement.radius * 0.16), 0.55)
        canvas.instance(placement.name, placement.parts, look_of(placement.name, draws.child(), light, placement.radius))
