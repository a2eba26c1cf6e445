"""Overlapping windows that cover a raster."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from basam.checks import Count, check_fields, whole_number
from basam.errors import InputError

# An object nearer than this many pixels to an edge of a window may be cut off by it, as with Meta's crops; less if windows
# overlap by less than four times this.
NEAR = 20
LEAST_OVERLAP = 16
# Share of the window's side: with more, parts of a raster would be in more than four windows.
MOST_OVERLAP = 0.5


@dataclass(frozen=True)
class RasterWindow:
    """A rectangle of a raster: edges in pixels, x1 and y1 exclusive; `number` counts row by row from 0."""

    number: int
    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        return self.x0, self.y0, self.x1, self.y1

    def overlaps(self, other: RasterWindow) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


@dataclass(frozen=True)
class Windows:
    """All windows of a raster of height x width px.

    Args:
        side: of a window, in pixels of the raster; clipped to the raster's size.
        overlap: least overlap of neighbours in pixels. The last of a row or column overlaps more, so that all have one size.

    Raises:
        ValueError: a raster without pixels, an overlap of fewer than 16 pixels or more than half the side.
    """

    height: Count
    width: Count
    side: int
    overlap: int

    def __post_init__(self) -> None:
        check_fields(self)
        whole_number(self.side, "window", 2 * LEAST_OVERLAP)
        whole_number(self.overlap, "overlap", LEAST_OVERLAP)
        if self.overlap > MOST_OVERLAP * self.side:
            raise InputError(f"overlap={self.overlap}: more than half of the window of {self.side} px; give a larger window")

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Left edges of the windows."""
        return starts_of(self.width, self.side, self.overlap)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Top edges of the windows."""
        return starts_of(self.height, self.side, self.overlap)

    @property
    def near(self) -> int:
        """Pixels from an edge within which an object may be cut off by it."""
        return min(NEAR, self.overlap // 4)

    def __len__(self) -> int:
        return len(self.columns) * len(self.rows)

    def __iter__(self) -> Iterator[RasterWindow]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> RasterWindow:
        if not 0 <= number < len(self):
            raise IndexError(number)
        row, column = divmod(number, len(self.columns))
        x0, y0 = self.columns[column], self.rows[row]
        return RasterWindow(number, x0, y0, min(x0 + self.side, self.width), min(y0 + self.side, self.height))

    def before(self, window: RasterWindow) -> list[RasterWindow]:
        """Windows with lower numbers that overlap `window`."""
        row, column = divmod(window.number, len(self.columns))
        # Windows share up to half a side, the last of a row or column perhaps more: three back are enough.
        around = (
            row_before * len(self.columns) + column_near
            for row_before in range(max(0, row - 3), row + 1)
            for column_near in range(max(0, column - 3), min(len(self.columns), column + 4))
        )
        earlier = (self[number] for number in around if number < window.number)
        return [other for other in earlier if other.overlaps(window)]

    def cut_sides(self, box: tuple[int, int, int, int], window: RasterWindow) -> tuple[bool, bool, bool, bool]:
        """Whether an object with this box in a window may be cut off by its left, top, right and bottom edge; the raster's own
        edges do not cut."""
        x0, y0, x1, y1 = box
        near = self.near
        return (
            window.x0 > 0 and x0 - window.x0 < near,
            window.y0 > 0 and y0 - window.y0 < near,
            window.x1 < self.width and window.x1 - x1 < near,
            window.y1 < self.height and window.y1 - y1 < near,
        )

    def seeing_whole(self, box: tuple[int, int, int, int]) -> list[RasterWindow]:
        """Windows that show a box whole, away from their edges."""
        x0, y0, x1, y1 = box
        columns = [index for index, start in enumerate(self.columns) if start <= x0 and x1 <= start + self.side]
        rows = [index for index, start in enumerate(self.rows) if start <= y0 and y1 <= start + self.side]
        candidates = [self[row * len(self.columns) + column] for row in rows for column in columns]
        return [window for window in candidates if not any(self.cut_sides(box, window))]


def starts_of(length: int, side: int, overlap: int) -> tuple[int, ...]:
    """Starts of windows along an axis; the last window ends where the axis does."""
    if length <= side:
        return (0,)
    count = math.ceil((length - overlap) / (side - overlap))
    return tuple(min(index * (side - overlap), length - side) for index in range(count))
