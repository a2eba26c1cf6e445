"""The masks of a raster's windows, stored in a file; memory holds offsets, and the runs of a few windows.

The file is JSON lines: the first line states what it is about, every piece is a line, and a line per finished window has the
offsets of its pieces. An interrupted run resumes as long as raster and settings are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from basam.checks import path_of
from basam.errors import OccupiedError
from basam.files import append_json, begins_with, read_json_at, read_json_lines, write_text
from basam.geo.windows import RasterWindow, Windows
from basam.masks import RunMask, placed, read_runs

BEGINNING = b'{"by": "windows of basam"'
# Windows whose pieces are cached, beside one row of windows.
HELD = 4


class Sides(NamedTuple):
    """Whether a piece may be cut off by its window's left, top, right and bottom edge."""

    left: bool
    top: bool
    right: bool
    bottom: bool


@dataclass(frozen=True, eq=False)
class Piece:
    """A mask in one window.

    Attributes:
        runs: at its place in the raster.
        cut: by the window; near: distance in pixels from the window's edges within which a piece counts as cut.
        predicted_iou, stability: see `MaskCandidate`.
        point: x, y in pixels of the raster, of the prompt.
    """

    runs: RunMask
    cut: Sides
    near: int
    predicted_iou: float
    stability: float
    point: tuple[float, float]

    @property
    def is_whole(self) -> bool:
        return not any(self.cut)


class Place(NamedTuple):
    """A piece, by its window and its number there."""

    window: int
    piece: int


class PieceStore:
    """The pieces of a raster's windows.

    Args:
        path: of the file, which is created if absent.
        about: what the pieces depend on, plain JSON: a file about something else is started again.

    Raises:
        FileExistsError: the path is a file that basam did not write.
    """

    def __init__(self, path: str | Path, windows: Windows, about: dict[str, Any]) -> None:
        path = path_of(path)
        self.path, self.windows = path, windows
        self.offsets: dict[int, list[int]] = {}
        self.held: OrderedDict[int, list[Piece]] = OrderedDict()
        head = {"by": "windows of basam", "about": about}
        if not begins_with(path, BEGINNING):
            raise OccupiedError(f"{path} was not written by basam, and is left as it is: choose another --out")
        lines = read_json_lines(path)
        first = next(lines, None)
        if first is None or first.value != head:
            write_text(path, [])
            append_json(path, head)
            return
        self.offsets = {line.value["window"]: line.value["pieces"] for line in lines if "pieces" in line.value}

    @property
    def done(self) -> frozenset[int]:
        """Numbers of the windows that are done."""
        return frozenset(self.offsets)

    def add(self, window: RasterWindow, masks: Sequence[Any]) -> None:
        """Store the masks of a window: `MaskCandidate`s in its own pixels."""
        offsets = []
        for mask in masks:
            if mask.runs.area:
                line = {
                    "segmentation": mask.runs.coco(),
                    "predicted_iou": float(mask.predicted_iou),
                    "stability": float(mask.stability),
                    "point": [float(mask.point[0]) + window.x0, float(mask.point[1]) + window.y0],
                }
                offsets.append(append_json(self.path, line))
        append_json(self.path, {"window": window.number, "pieces": offsets})
        self.offsets[window.number] = offsets

    def of_window(self, number: int) -> list[Piece]:
        """The pieces of a window."""
        if number not in self.held:
            window, lines = self.windows[number], read_json_at(self.path, self.offsets[number])
            self.held[number] = [self.piece(window, line) for line in lines]
            if len(self.held) > len(self.windows.columns) + HELD:
                self.held.popitem(last=False)
        self.held.move_to_end(number)
        return self.held[number]

    def at(self, place: Place) -> Piece:
        """One piece, without caching it."""
        offset = self.offsets[place.window][place.piece]
        return self.piece(self.windows[place.window], next(iter(read_json_at(self.path, [offset]))))

    def piece(self, window: RasterWindow, line: dict[str, Any]) -> Piece:
        inside = read_runs(line["segmentation"], window.y1 - window.y0, window.x1 - window.x0)
        runs = placed(inside, window.y0, window.x0, self.windows.height, self.windows.width)
        cut = Sides(*self.windows.cut_sides(runs.box, window))
        return Piece(
            runs, cut, self.windows.near, line["predicted_iou"], line["stability"], (line["point"][0], line["point"][1])
        )

    def remove(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
