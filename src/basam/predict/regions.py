"""The square of an image around a prompt's object, in whole pixels of the image.

The square around an object is `context` times its long side. It is moved inside the image rather than clipped, so that all
squares of a call have one size in model pixels; only an image smaller than the square is padded. The model gets a crop of the
image, and coordinates differ from the image's by an integer shift.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basam.checks import Count, Whole, check_fields

# Crops are upscaled by at most this factor: a few pixels hold no more detail.
MOST_ENLARGED = 8
# Squares around a click, as shares of the image's long side.
CLICK_SHARES = (1.0, 1 / 1.5, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8)
# Squares may share a region if their sides differ by at most this factor.
SAME_SIZE_RATIO = 1.25


@dataclass(frozen=True)
class Region:
    """A square of whole pixels: left and top edge, side. It may extend beyond the right or bottom of a smaller image."""

    left: Whole
    top: Whole
    side: Count

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def shift(self) -> NDArray[np.float64]:
        """The x, y to subtract from coordinates of the image to get coordinates in the region."""
        return np.array([self.left, self.top], dtype=np.float64)

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of an image of this size that the region covers."""
        return (
            slice(self.top, min(self.top + self.side, height)),
            slice(self.left, min(self.left + self.side, width)),
        )

    def is_whole(self, height: int, width: int) -> bool:
        """Whether the region covers an image of this size."""
        return self.side >= max(height, width)

    def overlap(self, other: Region) -> float:
        """Intersection over union of both squares."""
        across = min(self.left + self.side, other.left + other.side) - max(self.left, other.left)
        down = min(self.top + self.side, other.top + other.side) - max(self.top, other.top)
        shared = max(0, across) * max(0, down)
        return shared / (self.side**2 + other.side**2 - shared)

    def holds(self, box: NDArray[np.float64]) -> bool:
        """Whether a box `(4,)` as x0, y0, x1, y1 lies inside."""
        x0, y0, x1, y1 = box
        return bool(x0 >= self.left and y0 >= self.top and x1 <= self.left + self.side and y1 <= self.top + self.side)


def region_at(x: float, y: float, side: float, height: int, width: int) -> Region:
    """The square of about `side` pixels around (x, y), moved inside an image of height x width px.

    It is at most as large as the image's long side; along a shorter side of the image it begins at 0.
    """
    whole = max(1, min(math.ceil(side), max(height, width)))

    def start(centre: float, length: int) -> int:
        return max(0, min(math.floor(centre - whole / 2 + 0.5), length - whole))

    return Region(start(x, width), start(y, height), whole)


def region_around(box: NDArray[np.float64], context: float, least: float, height: int, width: int) -> Region:
    """The square around a box `(4,)`, `context` times its long side and at least `least` px; it always contains the box."""
    x0, y0, x1, y1 = (float(value) for value in box)
    side = max(context * max(x1 - x0, y1 - y0), least)
    region = region_at((x0 + x1) / 2, (y0 + y1) / 2, side, height, width)
    # Rounding to whole pixels may cut off a fraction of a pixel if there is no context.
    return region if region.holds(box) else region_at((x0 + x1) / 2, (y0 + y1) / 2, side + 1, height, width)


def share_regions(boxes: Iterable[NDArray[np.float64]], context: float, least: float, height: int, width: int) -> list[Region]:
    """One region per box `(4,)`; boxes of similar size near one another share a region.

    A box joins an earlier region if it is in its inner half and both are of similar size, so that a box has at least half of
    the margin that `context` gives it.
    """
    regions: list[Region] = []
    for box in boxes:
        own = region_around(box, context, least, height, width)
        shared = (region for region in regions if region.holds(with_margin(box, own)) and within(region.side / own.side))
        regions.append(next(shared, own))
    return regions


def with_margin(box: NDArray[np.float64], own: Region) -> NDArray[np.float64]:
    """`box` with half of the margin that it has in its own region."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = own.left, own.top, own.left + own.side, own.top + own.side
    return np.array([(x0 + left) / 2, (y0 + top) / 2, (x1 + right) / 2, (y1 + bottom) / 2])


def within(ratio: float) -> bool:
    return 1 / SAME_SIZE_RATIO <= ratio <= SAME_SIZE_RATIO


def regions_of_points(points: NDArray[np.float64], least: float, height: int, width: int) -> list[Region]:
    """Squares of several sizes for points `(P, 2)` on one object, largest first; every square contains all points."""
    low, high = points.min(0), points.max(0)
    x, y = (low + high) / 2
    return regions_around_click(float(x), float(y), max(least, 1.25 * float((high - low).max())), height, width)


def regions_around_click(x: float, y: float, least: float, height: int, width: int) -> list[Region]:
    """Squares of `CLICK_SHARES` of the long side around a point, without duplicates, largest first."""
    sides = (max(share * max(height, width), least) for share in CLICK_SHARES)
    return list(dict.fromkeys(region_at(x, y, side, height, width) for side in sides))


def edges_reached(mask: NDArray[np.bool_]) -> tuple[bool, bool, bool, bool] | None:
    """Whether a mask `(h, w)` reaches its top, bottom, left and right edge; None: it is empty."""
    if not mask.any():
        return None
    return bool(mask[0].any()), bool(mask[-1].any()), bool(mask[:, 0].any()), bool(mask[:, -1].any())


def sides_cut(reached: tuple[bool, bool, bool, bool] | None, region: Region, height: int, width: int) -> int:
    """The number of the region's sides that cut a mask off; the image's own border does not count.

    Args:
        reached: `edges_reached` of the mask of the region inside the image.
    """
    if reached is None:
        return 0
    rows, columns = region.inside(height, width)
    inner = (rows.start > 0, rows.stop < height, columns.start > 0, columns.stop < width)
    return sum(edge and touched for edge, touched in zip(inner, reached, strict=True))
