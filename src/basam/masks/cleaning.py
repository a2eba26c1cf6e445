"""What is cleaned of masks: small parts and small holes."""

from __future__ import annotations

from dataclasses import dataclass

from basam.checks import Whole, check_fields

# Pixels by which outlines may leave the masks' edges by default.
TOLERANCE = 1.0


@dataclass(frozen=True)
class Cleaning:
    """What is cleaned of a mask, in this order; nothing by default.

    Attributes:
        fill_holes: holes of fewer pixels are filled; what lies open at the image's border is no hole.
        min_area: parts of fewer pixels are left out, and so is a mask of fewer.
        largest: of what is then left, the largest part alone.

    Raises:
        ValueError: a number below 0.
    """

    fill_holes: Whole = 0
    min_area: Whole = 0
    largest: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def does_nothing(self) -> bool:
        return not (self.fill_holes or self.min_area or self.largest)
