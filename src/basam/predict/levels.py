"""The sizes at which a photo is encoded once for prompts of all sizes."""

from __future__ import annotations

from basam.families import Geometry
from basam.predict.resize import Frame
from basam.predict.views import View

# From one level to the next, the side of the photo is divided by this.
STEP = 2**0.5


def levels_of(geometry: Geometry, height: int, width: int, long_side: int) -> tuple[View, ...]:
    """The levels of an image of height x width px, finest first, from `long_side` px down to the trained long side."""
    trained, sides = geometry.image_size, [float(long_side)]
    while sides[-1] / STEP > trained * STEP**0.5:
        sides.append(sides[-1] / STEP)
    if sides[-1] > trained:
        sides.append(trained)
    return tuple(View(Frame.of_model(geometry, height, width, round(side))) for side in sides)
