"""What is written of a photo: its masks with all that is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from basam.masks.cleaning import Cleaning
from basam.masks.regions import clean_mask, soft_after
from basam.masks.runs import RunMask
from basam.masks.soft import SoftMask

# The category of what has no label.
UNNAMED = "object"
# Columns of a table of masks. x1 and y1 are one past the last pixel; area is in pixels of the photo.
COLUMNS = (
    *("photo", "number", "id", "label", "score", "predicted_iou", "stability", "area"),
    *("x0", "y0", "x1", "y1", "point_x", "point_y"),
)


@dataclass(frozen=True, eq=False)
class MaskResult:
    """One mask.

    Attributes:
        runs: at the photo's size.
        predicted_iou: what the model says of it.
        id: of the prompt, or the mask's number in the photo; a text or a number. `named`: it is the prompt's own.
        label, prompt_score: what it is and how sure of that its prompt was, where the prompt said so. category_id: of the label
            in the user's COCO file.
        stability: IoU of the masks at the threshold plus and minus an offset, where it was measured.
        point: x, y in pixels of the photo of the prompt, where it was one point.
        soft: its soft edge, for cut-outs.
    """

    runs: RunMask
    predicted_iou: float
    id: str | int
    label: str | None = None
    stability: float | None = None
    point: tuple[float, float] | None = None
    soft: SoftMask | None = None
    named: bool = False
    category_id: int | str | None = None
    prompt_score: float | None = None

    @property
    def score(self) -> float:
        """The prompt's, such as a detector's, where it has one, else the predicted IoU."""
        return self.predicted_iou if self.prompt_score is None else self.prompt_score


@dataclass(frozen=True, eq=False)
class PhotoResults:
    """A photo and its masks, in the order that their files are numbered in.

    Attributes:
        photo: its path.
        size: (height, width) of the masks.
        pixels: `(h, w, 3)` uint8, perhaps read smaller.
        tolerance: pixels by which polygons may leave the masks' edges.
        boxes, points: prompts that overlays show.
        places: of the masks among the prompts, which their files are numbered by; None: all were answered.
        prompts: number of them; None: as many as masks.
        name: what tables call the photo; empty: its path.
    """

    photo: Path
    size: tuple[int, int]
    pixels: NDArray[np.uint8]
    found: list[MaskResult]
    tolerance: float
    boxes: Sequence[Sequence[float]] = ()
    points: Sequence[Sequence[float]] = ()
    places: Sequence[int] | None = None
    prompts: int | None = None
    name: str = ""


def cleaned(found: Iterable[MaskResult], cleaning: Cleaning, *, keep_empty: bool = False) -> list[MaskResult]:
    """Masks without crumbs and holes; those of which nothing is left are left out, unless `keep_empty`."""
    if cleaning.does_nothing:
        return list(found)
    out = []
    for each in found:
        mask = clean_mask(each.runs.mask(), cleaning)
        if keep_empty or mask.any():
            soft = None if each.soft is None else soft_after(each.soft, mask)
            out.append(replace(each, runs=RunMask.of(mask), soft=soft))
    return out


def inert(cell: object) -> object:
    """A cell of a table that no spreadsheet runs as a formula: text that begins as one gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def row_of(one: MaskResult) -> list[object]:
    """Cells of `COLUMNS` after `number`; empty where a value is not known."""
    stability = "" if one.stability is None else round(one.stability, 6)
    point = ("", "") if one.point is None else one.point
    scores = round(one.score, 6), round(one.predicted_iou, 6), stability
    return [inert(one.id), inert(one.label or ""), *scores, one.runs.area, *one.runs.box, *point]
