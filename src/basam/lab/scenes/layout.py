"""Where instances lie, and which of them are seen: decided before any pixel, so that it is the same at every size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from basam.lab.scenes.canvas import HALF, Part, outline
from basam.lab.scenes.raster import coverage
from basam.lab.scenes.shapes import Point, placed

REFERENCE = 128  # visibility is decided on a raster of this size whatever the size of the picture


class Placement(NamedTuple):
    """One instance: its outline in its own frame, then where it goes."""

    name: str
    local: Sequence[Part]
    centre: Point
    radius: float
    turn: float = 0.0
    flip: bool = False

    @property
    def parts(self) -> list[Part]:
        """The parts in the unit square."""
        return [Part(placed(p.loops, self.radius, self.turn, self.centre, self.flip), p.role) for p in self.local if p.loops]


def visible(placements: Sequence[Placement], share: float) -> list[Placement]:
    """The placements, back to front, of which at least `share` of the picture is seen.

    Leaving one out only uncovers others, so that none of the rest falls below the share.
    """
    owner = np.zeros((REFERENCE, REFERENCE), np.uint8)
    for number, placement in enumerate(placements, 1):
        alpha, window = coverage(outline(placement.parts), REFERENCE)
        owner[window.slices][alpha >= HALF] = number
    areas = np.bincount(owner.ravel(), minlength=len(placements) + 1)[1:]
    return [p for p, area in zip(placements, areas, strict=True) if area >= share * REFERENCE * REFERENCE]
