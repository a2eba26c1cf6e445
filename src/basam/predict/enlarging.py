"""Logits of one mask at native resolution, computed only where the mask can be.

The same numbers as `Frame.masks_out`, which is bilinear in one or two steps: first to the padded frame, then to the photo.
Both are separable, so rows come first and columns afterwards, and a rectangle of the result needs one of the input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from basam.predict.resize import Frame

# Most logits in memory when only the mask is needed: they fit a processor's cache.
NUMBERS_AT_ONCE = 1 << 19
# Rows or columns per step of the search for a mask's edge.
STRIP = 64


@dataclass(frozen=True)
class AxisSteps:
    """How one axis is enlarged.

    Attributes:
        lengths: per step, from the low-resolution logits to the photo, such as (64, 1024, 3000).
        used: how much of a step's output is the next step's input, without padding.
    """

    lengths: tuple[int, ...]
    used: tuple[int, ...]

    def neighbours(self, step: int, first: int, last: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """For positions `first` to `last` (exclusive) after a step: the two positions before it, and the weight of the
        second."""
        before, after = self.used[step], self.lengths[step + 1]
        places = torch.arange(first, last, device=device, dtype=torch.float32)
        source = ((places + 0.5) * (before / after) - 0.5).clamp(min=0)
        low = source.floor().long().clamp(max=before - 1)
        return low, (low + 1).clamp(max=before - 1), source - low

    def extent(self, first: int, last: int) -> tuple[int, int]:
        """Positions of the result that depend on low-resolution positions `first` to `last` (exclusive)."""
        for step in range(len(self.used) - 1):
            ratio = self.lengths[step + 1] / self.used[step]
            first = max(0, int((first - 0.5) * ratio - 0.5))
            last = min(self.used[step + 1], int((last + 0.5) * ratio + 1.5))
        return first, last

    def enlarge(self, values: Tensor, first: int, last: int) -> Tensor:
        """Positions `first` to `last` of the result, from `values` `(length, ...)` along the first axis."""
        wanted = [(first, last)]
        tables = []
        for step in reversed(range(len(self.used) - 1)):
            low, high, share = self.neighbours(step, *wanted[-1], values.device)
            wanted.append((int(low[0]), int(high[-1]) + 1))
            tables.append((low - wanted[-1][0], high - wanted[-1][0], share))
        values = values[wanted[-1][0] : wanted[-1][1]]
        for low, high, share in reversed(tables):
            below, above = values.index_select(0, low), values.index_select(0, high)  # several times faster than values[low]
            values = below.addcmul_(share[:, None], above.sub_(below))
        return values


@dataclass(frozen=True)
class Enlarging:
    """From low-resolution logits `(h, w)` to those of a photo, through `frame`."""

    frame: Frame
    low_size: tuple[int, int]

    def steps(self, axis: int) -> AxisSteps:
        padded, resized, original = (size[axis] for size in (self.frame.padded, self.frame.resized, self.frame.original))
        lengths: tuple[int, ...] = (self.low_size[axis], padded)
        used: tuple[int, ...] = (self.low_size[axis], resized)
        if self.frame.resized != self.frame.original:
            lengths, used = (*lengths, original), (*used, original)
        return AxisSteps(lengths, used)

    def where_above(self, low: Tensor, level: float) -> tuple[int, int, int, int] | None:
        """Top, bottom, left and right edge of a rectangle of the photo that holds all logits above `level`; None: there are
        none."""
        above = low > level
        rows, columns = above.any(1).nonzero()[:, 0], above.any(0).nonzero()[:, 0]
        if not len(rows):
            return None
        top, bottom = self.steps(0).extent(int(rows[0]), int(rows[-1]) + 1)
        left, right = self.steps(1).extent(int(columns[0]), int(columns[-1]) + 1)
        return None if bottom <= top or right <= left else (top, bottom, left, right)

    def part(self, low: Tensor, rectangle: tuple[int, int, int, int]) -> Tensor:
        """Logits `(bottom - top, right - left)` of a rectangle of the photo."""
        top, bottom, left, right = rectangle
        rows = self.steps(0).enlarge(low, top, bottom)
        return self.steps(1).enlarge(rows.T.contiguous(), left, right).T

    def mask(self, low: Tensor, rectangle: tuple[int, int, int, int], level: float) -> Tensor:
        """Which logits of a rectangle are above `level`, `(bottom - top, right - left)` bool; column block by column block, so
        that never all logits are in memory."""
        top, bottom, left, right = rectangle
        rows = self.steps(0).enlarge(low, top, bottom).T.contiguous()
        columns = torch.empty((right - left, bottom - top), dtype=torch.bool, device=low.device)
        steps, count = self.steps(1), max(1, NUMBERS_AT_ONCE // (bottom - top))
        for first in range(left, right, count):
            last = min(first + count, right)
            torch.gt(steps.enlarge(rows, first, last), level, out=columns[first - left : last - left])
        return columns.T

    def box(self, low: Tensor, level: float) -> NDArray[np.float64] | None:
        """Box `(4,)` x0, y0, x1, y1 of the logits above `level` at the photo's size; None: there are none."""
        rectangle = self.where_above(low, level)
        rows = None if rectangle is None else self.span(low, rectangle, level, 0)
        if rectangle is None or rows is None:
            return None
        columns = self.span(low, (*rows, *rectangle[2:]), level, 1)
        return None if columns is None else np.array([columns[0], rows[0], columns[1], rows[1]], dtype=np.float64)

    def span(self, low: Tensor, rectangle: tuple[int, int, int, int], level: float, axis: int) -> tuple[int, int] | None:
        """First row (`axis` 0) or column of a rectangle with logits above `level`, and the last (exclusive). Strips are
        upscaled from both ends inwards until one has some."""
        begin, end = rectangle[2 * axis : 2 * axis + 2]

        def holding(strip: tuple[int, int]) -> Tensor:
            top, bottom, left, right = (*strip, *rectangle[2:]) if axis == 0 else (*rectangle[:2], *strip)
            return strip[0] + self.mask(low, (top, bottom, left, right), level).any(1 - axis).nonzero()[:, 0]

        strips = [(first, min(first + STRIP, end)) for first in range(begin, end, STRIP)]
        first = next((int(places[0]) for places in map(holding, strips) if len(places)), None)
        last = next((int(places[-1]) for places in map(holding, reversed(strips)) if len(places)), None)
        return None if first is None or last is None else (first, last + 1)

    def most_stable(self, low: Tensor, level: float, offset: float) -> Tensor:
        """Upper bound on the stability score `(N,)` of N masks `(N, h, w)` at native resolution.

        An upscaled logit is between the four around it: cells whose highest corner is above a level may be in the mask, and
        those whose lowest is are. Cells at the border, half as large, count whole above and not below.
        """
        shares = [
            self.frame.resized[axis] / self.frame.padded[axis] * self.low_size[axis] for axis in (0, 1)
        ]  # the rest is padding
        height, width = (math.ceil(share) + 1 for share in shares)
        around = F.pad(low[:, None, :height, :width], (1, 1, 1, 1), mode="replicate")
        most = (F.max_pool2d(around, 2, 1) > level + offset).sum((1, 2, 3))
        height, width = (max(1, math.floor(share)) for share in shares)
        inner = low[:, None, :height, :width]
        least = (-F.max_pool2d(-inner, (min(2, height), min(2, width)), 1) > level - offset).sum((1, 2, 3))
        return torch.where(least > 0, most / least.clamp(min=1), torch.inf)
