"""Place masks of parts of an image in the whole image, and unite masks; as runs, so no full-size array is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from basam.errors import InputError
from basam.masks.runs import RunMask, Runs


def in_columns(starts: Runs, ends: Runs, height: int) -> tuple[Runs, Runs]:
    """Runs split at the end of every column of `height` pixels, so that a run is within one column."""
    first, last = starts // height, (ends - 1) // height
    columns = last - first + 1
    index = np.repeat(np.arange(len(starts)), columns)
    column = first[index] + np.arange(len(index)) - np.repeat(np.cumsum(columns) - columns, columns)
    return np.maximum(starts[index], column * height), np.minimum(ends[index], (column + 1) * height)


def runs_in_columns(mask: RunMask) -> tuple[Runs, Runs]:
    """Start and end (exclusive) of the runs of a mask, split at columns."""
    return in_columns(*mask.spans, mask.height)


def of_spans(starts: Runs, ends: Runs, height: int, width: int) -> RunMask:
    """The mask of an image of height x width px from runs in any order; they may overlap."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order]) if len(ends) else ends
    # A run begins where all runs before it have ended.
    begins = np.append(True, starts[1:] > ends[:-1])[: len(starts)]
    starts, ends = starts[begins], ends[np.append(begins[1:], True)[: len(ends)]]
    edges = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [height * width]])
    counts = np.diff(edges)
    return RunMask(height, width, counts[:-1] if len(counts) > 1 and counts[-1] == 0 else counts)


def placed(mask: RunMask, top: int, left: int, height: int, width: int) -> RunMask:
    """A mask of a part of an image, placed in the image of height x width px with the part's corner at `top`, `left`.

    Raises:
        ValueError: the part extends beyond the image.
    """
    if min(top, left) < 0 or top + mask.height > height or left + mask.width > width:
        part = f"part of {mask.width} x {mask.height} px at row {top}, column {left}"
        raise InputError(f"{part}: it extends beyond {width} x {height} px")
    starts, ends = in_columns(*mask.spans, mask.height)
    column, row = np.divmod(starts, mask.height)
    begins = (column + left) * height + row + top
    return of_spans(begins, begins + (ends - starts), height, width)


def united(masks: Sequence[RunMask]) -> RunMask:
    """The union of masks of one image, at least one.

    Raises:
        ValueError: no masks, or masks of different sizes.
    """
    sizes = {(mask.height, mask.width) for mask in masks}
    if len(sizes) != 1:
        listed = ", ".join(f"{width} x {height} px" for height, width in sorted(sizes)) or "none"
        raise InputError(f"masks of one image are needed, at least one: these are {listed}")
    starts, ends = (np.concatenate(ends) for ends in zip(*(mask.spans for mask in masks), strict=True))
    return of_spans(starts, ends, masks[0].height, masks[0].width)


def part_of(mask: RunMask, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """A rectangle of a mask, `(y1 - y0, x1 - x0)` bool; x1 and y1 are exclusive.

    Raises:
        ValueError: an empty rectangle, or one that extends beyond the image.
    """
    if not (0 <= x0 < x1 <= mask.width and 0 <= y0 < y1 <= mask.height):
        raise InputError(
            f"x0={x0}, y0={y0}, x1={x1}, y1={y1}: a rectangle with pixels inside of {mask.width} x {mask.height} px is needed"
        )
    starts, ends = in_rectangle(mask, x0, y0, x1, y1)
    rows = y1 - y0
    steps = np.zeros((x1 - x0) * rows + 1, dtype=np.int8)
    column, row = np.divmod(starts, mask.height)
    begins = (column - x0) * rows + row - y0
    np.add.at(steps, begins, 1)
    np.add.at(steps, begins + (ends - starts), -1)
    return np.cumsum(steps[:-1], dtype=np.int8).astype(bool).reshape(x1 - x0, rows).T


def area_within(mask: RunMask, x0: int, y0: int, x1: int, y1: int) -> int:
    """Number of mask pixels in a rectangle."""
    starts, ends = in_rectangle(mask, x0, y0, x1, y1)
    return int((ends - starts).sum())


def in_rectangle(mask: RunMask, x0: int, y0: int, x1: int, y1: int) -> tuple[Runs, Runs]:
    """The runs of a mask in a rectangle of its image, split at columns."""
    starts, ends = mask.spans
    # Runs are in order, so those of the rectangle's columns are contiguous.
    some = slice(np.searchsorted(ends, x0 * mask.height, side="right"), np.searchsorted(starts, x1 * mask.height))
    starts, ends = in_columns(starts[some], ends[some], mask.height)
    column = starts // mask.height
    starts = np.maximum(starts, column * mask.height + y0)
    ends = np.minimum(ends, column * mask.height + y1)
    inside = (ends > starts) & (column >= x0) & (column < x1)
    return starts[inside], ends[inside]
