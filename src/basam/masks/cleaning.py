"""Settings for cleaning masks: small regions and small holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from basam.checks import Whole, check_fields
from basam.help import Help

# Default distance in pixels between outlines and the masks' edges, at most.
TOLERANCE = 1.0


@dataclass(frozen=True)
class Cleaning:
    """What is cleaned of a mask, in this order; by default nothing.

    Attributes:
        fill_holes: fill holes of fewer pixels; a gap that is open at the image's border is not a hole.
        min_area: drop regions of fewer pixels, and masks of fewer.
        largest: of the remaining regions, leave only the largest.

    Raises:
        ValueError: a number below 0.
    """

    fill_holes: Annotated[Whole, Help("Fill holes with fewer pixels.", "Results", unset="none")] = 0
    min_area: Annotated[Whole, Help("Drop regions of masks with fewer pixels.", "Results", unset="none")] = 0
    largest: Annotated[bool, Help("Keep only the largest region of a mask.", "Results")] = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def does_nothing(self) -> bool:
        return not (self.fill_holes or self.min_area or self.largest)
