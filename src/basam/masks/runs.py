"""A mask as COCO's run lengths: down the columns, starting with the background. Size and time follow the outline's length.

numpy only. A mask of 12 megapixels is 12 MB as booleans, and a few kilobytes as runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.arrays import check_array, check_mask
from basam.checks import whole_number
from basam.errors import InputError

Runs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RunMask:
    """A mask `(height, width)`.

    Attributes:
        counts: run lengths in pixels down the columns, starting with the background (which may be 0).

    Raises:
        ValueError: the runs do not fit an image of this size.
    """

    height: int
    width: int
    counts: Runs

    def __post_init__(self) -> None:
        whole_number(self.height, "height", 0)
        whole_number(self.width, "width", 0)
        fits = lambda: self.counts.ndim == 1 and self.counts.dtype.kind in "iu"  # noqa: E731
        check_array(self.counts, "counts", fits, "a (R,) array of whole numbers")
        if self.counts.sum() != self.height * self.width or (len(self.counts) and self.counts.min() < 0):
            raise InputError(
                f"counts of {self.counts.sum()} pixels, the shortest of {min(self.counts, default=0)}: runs of "
                f"{self.height} x {self.width} px are needed"
            )

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> RunMask:
        """The runs of a mask `(H, W)`."""
        check_mask(mask)
        return cls.of_part(mask, 0, 0, *mask.shape)

    @classmethod
    def of_part(cls, part: NDArray[np.bool_], top: int, left: int, height: int, width: int) -> RunMask:
        """The runs of an image of height x width px that holds `part` `(h, w)` at row `top`, column `left`, and is empty
        elsewhere."""
        check_mask(part, "part")
        if min(top, left) < 0 or top + part.shape[0] > height or left + part.shape[1] > width:
            raise InputError(f"part of shape {part.shape} at row {top}, column {left} extends beyond {height} x {width} px")
        # Columns are padded with background at both ends, so that edges of the object come in pairs.
        columns = np.zeros((part.shape[1], part.shape[0] + 2), dtype=bool)
        columns[:, 1:-1] = part.T
        flat = columns.ravel()
        column, row = np.divmod(np.flatnonzero(flat[1:] != flat[:-1]), part.shape[0] + 2)
        edges = (column + left) * height + row + top
        starts, ends = edges[0::2], edges[1::2]
        # A run that reaches the bottom continues at the top of the next column.
        joined = ends[:-1] == starts[1:]
        starts, ends = starts[np.append(True, ~joined)[: len(starts)]], ends[np.append(~joined, True)[: len(ends)]]
        edges = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [height * width]])
        counts = np.diff(edges)
        return cls(height, width, counts[:-1] if len(counts) > 1 and counts[-1] == 0 else counts)

    @cached_property
    def spans(self) -> tuple[Runs, Runs]:
        """Start and end (exclusive) of the object's runs, in pixels down the columns."""
        edges = np.cumsum(self.counts)
        starts, ends = edges[0::2][: len(self.counts) // 2], edges[1::2]
        real = ends > starts  # other programs write runs of length 0
        return starts[real], ends[real]

    @cached_property
    def area(self) -> int:
        """Pixels of the object."""
        return int(self.counts[1::2].sum())

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 (x1, y1 exclusive); all 0 for an empty mask."""
        starts, ends = self.spans
        if not self.area:
            return 0, 0, 0, 0
        first, last = starts // self.height, (ends - 1) // self.height
        whole = bool((first != last).any())  # over the bottom of a column
        top = 0 if whole else int((starts % self.height).min())
        bottom = self.height if whole else int(((ends - 1) % self.height).max()) + 1
        return int(first.min()), top, int(last.max()) + 1, bottom

    def part(self) -> NDArray[np.bool_]:
        """The mask inside `box`, `(y1 - y0, x1 - x0)`."""
        x0, y0, x1, y1 = self.box
        starts, ends = self.spans
        edges = np.stack([starts, ends], axis=1).ravel() - x0 * self.height
        lengths = np.diff(np.concatenate([[0], edges, [(x1 - x0) * self.height]]))
        inside = np.arange(len(lengths)) % 2 == 1
        return np.repeat(inside, lengths).reshape(x1 - x0, self.height).T[y0:y1]

    def mask(self) -> NDArray[np.bool_]:
        """The whole mask, `(height, width)` bool."""
        out = np.zeros((self.height, self.width), dtype=bool)
        x0, y0, x1, y1 = self.box
        out[y0:y1, x0:x1] = self.part()
        return out

    def shared(self, other: RunMask) -> int:
        """Number of pixels in both masks, which are of one image."""
        (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = self.box, other.box
        if min(ax1, bx1) <= max(ax0, bx0) or min(ay1, by1) <= max(ay0, by0):
            return 0
        fewer, more = sorted((self, other), key=lambda mask: len(mask.counts))
        starts, ends = fewer.spans
        return int((more._covered(ends) - more._covered(starts)).sum())

    def _covered(self, places: Runs) -> Runs:
        """Pixels of the object before every one of `places`."""
        starts, ends = self.spans
        before = np.concatenate([[0], np.cumsum(ends - starts)])
        index = np.searchsorted(starts, places, side="right")
        over = np.maximum(0, ends[np.maximum(index, 1) - 1] - places)
        return before[index] - np.where(index > 0, over, 0)

    def uncompressed(self) -> dict[str, Any]:
        """COCO's RLE with a list of counts, as Meta's generator returns it."""
        return {"size": [self.height, self.width], "counts": self.counts.tolist()}

    def coco(self) -> dict[str, Any]:
        """COCO's compressed RLE, plain JSON: `{"size": [H, W], "counts": "..."}`."""
        return {"size": [self.height, self.width], "counts": packed(self.counts)}


def packed(counts: Runs) -> str:
    """COCO's compressed form of runs: numbers in pieces of five bits, lowest first; from the fourth run on, differences to the
    run before the last (`rleToString` of pycocotools)."""
    numbers = counts.astype(np.int64)
    numbers[3:] -= counts[1:-2]
    pieces, there = [], []
    going_on = np.ones(len(numbers), dtype=bool)
    while going_on.any():
        piece = numbers & 31
        numbers = numbers >> 5
        there.append(going_on)
        # The fifth bit is the sign of the rest.
        going_on = going_on & np.where(piece & 16, numbers != -1, numbers != 0)
        pieces.append(piece + 32 * going_on + 48)
    if not pieces:
        return ""
    letters = np.stack(pieces, axis=1)[np.stack(there, axis=1)]
    return letters.astype(np.uint8).tobytes().decode("ascii")
