"""What each window of a raster showed, kept in a file: memory holds where it is, and the runs of a few windows at most.

The file is of JSON lines, the first of which says of what it is; a piece is a line, and a window that is done one that says
where its pieces are. So a run that was stopped goes on where it was, as long as raster and settings are the same.
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
# Windows whose pieces are held in memory, beside a row of them.
HELD = 4


class Sides(NamedTuple):
    """Whether a piece may be cut by its window's left, top, right and bottom edge."""

    left: bool
    top: bool
    right: bool
    bottom: bool


@dataclass(frozen=True, eq=False)
class Piece:
    """A mask in one window.

    Attributes:
        runs: at its place in the raster.
        cut: by the window; near: so many pixels from its edges a piece counts as cut.
        predicted_iou, stability: as of `MaskCandidate`.
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
    """Which piece of which window."""

    window: int
    piece: int


class PieceStore:
    """The pieces of a raster's windows.

    Args:
        path: of the file, made where it is absent.
        about: what decides the pieces, plain JSON: a file about something else is begun again.

    Raises:
        FileExistsError: a file is there that is none of these.
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
        """Numbers of the windows that are in it."""
        return frozenset(self.offsets)

    def add(self, window: RasterWindow, found: Sequence[Any]) -> None:
        """Keep what a window showed: `MaskCandidate`s in its own pixels."""
        offsets = []
        for each in found:
            if each.runs.area:
                line = {
                    "segmentation": each.runs.coco(),
                    "predicted_iou": float(each.predicted_iou),
                    "stability": float(each.stability),
                    "point": [float(each.point[0]) + window.x0, float(each.point[1]) + window.y0],
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
        """One piece; not held."""
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
        """The file is no longer needed."""
        self.path.unlink(missing_ok=True)
