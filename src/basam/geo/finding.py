"""Segment a raster window by window, then unite the pieces of windows into objects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from basam.errors import BasamError, FullDiskError, reason_of
from basam.geo.pieces import PieceStore, Place
from basam.geo.uniting import objects_of, united_piece
from basam.geo.windows import RasterWindow
from basam.masks import Cleaning, MaskResult, RunMask, clean_mask, placed
from basam.predict import MaskCandidate

# Objects with a larger box (in pixels) are not cleaned, which would need an array of that size.
MOST_CLEANED = 1 << 26
# Number of objects whose runs are cached.
HELD = 64

Find = Callable[[NDArray[np.uint8]], Sequence[MaskCandidate]]


class WindowError(BasamError, RuntimeError):
    """A window of a raster failed; the message names it and the reason."""


class RasterObjects(Sequence[MaskResult]):
    """The objects of a raster, numbered from 1; an object is made from its pieces on access, and the last ones are cached.

    Args:
        store: of the pieces.
        cleaning: of the objects; objects that become empty are dropped.

    Attributes:
        boxes: `(N, 4)` x0, y0, x1, y1 in pixels of the raster, x1 and y1 exclusive.
        areas: `(N,)` in pixels.
        best_iou: the highest predicted IoU; None: no objects.
    """

    def __init__(self, store: PieceStore, cleaning: Cleaning | None = None) -> None:
        self.store, self.cleaning = store, cleaning or Cleaning()
        self.held: OrderedDict[int, MaskResult] = OrderedDict()
        self.members: list[list[Place]] = []
        self.best_iou: float | None = None
        boxes, areas = [], []
        for group in objects_of(store):
            one = self.made_of(group)
            runs = one.runs
            if runs.area:
                self.best_iou = max(one.predicted_iou, self.best_iou or one.predicted_iou)
                self.members.append(group)
                boxes.append(runs.box)
                areas.append(runs.area)
        self.boxes = np.array(boxes, dtype=np.int64).reshape(-1, 4)
        self.areas = np.array(areas, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> MaskResult:  # type: ignore[override]
        """Object number `index` plus 1, its mask as runs of the whole raster."""
        if not 0 <= index < len(self.members):
            raise IndexError(index)
        if index not in self.held:
            self.held[index] = replace(self.made_of(self.members[index]), id=index + 1)
            if len(self.held) > HELD:
                self.held.popitem(last=False)
        self.held.move_to_end(index)
        return self.held[index]

    def __iter__(self) -> Iterator[MaskResult]:
        return (self[index] for index in range(len(self)))

    def made_of(self, group: list[Place]) -> MaskResult:
        runs, piece = united_piece([self.store.at(place) for place in group])
        return MaskResult(self.cleaned(runs), piece.predicted_iou, 0, None, piece.stability, piece.point)

    def cleaned(self, runs: RunMask) -> RunMask:
        x0, y0, x1, y1 = runs.box
        if self.cleaning.does_nothing or (x1 - x0) * (y1 - y0) > MOST_CLEANED:
            return runs
        # What is open at the box's border is open beyond it, so the box is enough.
        return placed(RunMask.of(clean_mask(runs.part(), self.cleaning)), y0, x0, runs.height, runs.width)

    def within(self, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.intp]:
        """Indices of the objects whose boxes overlap a rectangle, larger objects first."""
        low, high = self.boxes[:, :2], self.boxes[:, 2:]
        overlapping = np.flatnonzero(((low < (x1, y1)) & (high > (x0, y0))).all(axis=1))
        return overlapping[np.argsort(-self.areas[overlapping], kind="stable")]


class WindowReader(Protocol):
    """Pixels of an open picture."""

    def window(self, x0: int, y0: int, x1: int, y1: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]: ...


class Windowed(Protocol):
    """A picture that is read window by window: a `GeoRaster`, or a photograph in memory."""

    @property
    def path(self) -> Path: ...

    def reading(self) -> AbstractContextManager[WindowReader]: ...


@dataclass(frozen=True, eq=False)
class PhotoWindows:
    """A photograph in memory, `pixels` `(H, W, 3)`, with the interface of a raster."""

    path: Path
    pixels: NDArray[np.uint8]

    def reading(self) -> AbstractContextManager[PhotoWindows]:
        return nullcontext(self)

    def window(self, x0: int, y0: int, x1: int, y1: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """The rectangle, with data in all of its pixels."""
        part = self.pixels[y0:y1, x0:x1]
        return np.ascontiguousarray(part), np.ones(part.shape[:2], dtype=bool)


def segment_windows(
    raster: Windowed, find: Find, store: PieceStore, progress: Callable[[int, int], None] | None = None
) -> None:
    """Segment every window of a raster that is not in `store` yet with `find`, which gets RGB `(h, w, 3)` and returns masks in
    its pixels. Pixels without data are removed from the masks.

    Raises:
        WindowError: `find` or reading a window failed; earlier windows stay in `store`.
    """
    windows, done = store.windows, store.done
    if progress is not None:
        progress(len(done), len(windows))
    with raster.reading() as reader:
        for window in windows:
            if window.number in done:
                continue
            try:
                store.add(window, masks_in(reader, window, find))
            except FullDiskError:
                raise
            except Exception as error:
                where = f"columns {window.x0} to {window.x1 - 1}, rows {window.y0} to {window.y1 - 1}"
                reason = reason_of(error) or f"{type(error).__name__}: {error}"
                raise WindowError(f"{raster.path}: window {window.number + 1} of {len(windows)}, {where}: {reason}") from error
            if progress is not None:
                progress(len(store.done), len(windows))


def masks_in(reader: WindowReader, window: RasterWindow, find: Find) -> list[MaskCandidate]:
    """Masks in a window, in its own pixels."""
    pixels, valid = reader.window(*window.box)
    if not valid.any():
        return []
    masks = list(find(pixels))
    if valid.all():
        return masks
    return [replace(mask, runs=RunMask.of(mask.runs.mask() & valid)) for mask in masks]
