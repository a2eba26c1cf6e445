"""The decision table and the tables of mosaics, from lines of measuring."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from basam.lab.evaluation import paired
from studies.focus_study.measuring import Line, ways_of
from studies.focus_study.situations import SITUATIONS, Situation
from studies.focus_study.ways import OF_BOXES, WAYS

FIRST = "whole, its own size, plain"  # what differences on mosaics are taken to
PHOTOS = tuple(one for one in SITUATIONS if one.source is not None)
MOSAICS = tuple(one for one in SITUATIONS if one.source is None)


@dataclass
class Cell:
    """One way in one situation: IoU by image (the mean of its objects), seconds and memory of each."""

    iou: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    peak_mb: int = 0

    @property
    def mean(self) -> float:
        return statistics.fmean(self.iou.values())

    def __str__(self) -> str:
        return f"{self.mean:.3f}, {statistics.median(self.seconds):.2f} s, {self.peak_mb / 1024:.1f} GB"


def cells_of(lines: Sequence[Line]) -> dict[tuple[str, str], Cell]:
    """By situation and way; images without an object large enough are left out."""
    cells: dict[tuple[str, str], Cell] = defaultdict(Cell)
    for line in lines:
        if line["ious"]:
            cell = cells[line["situation"], line["way"]]
            cell.iou[line["sample"]] = statistics.fmean(line["ious"])
            cell.seconds.append(line["seconds"])
            cell.peak_mb = max(cell.peak_mb, line["peak_mb"])
    return dict(cells)


def measured(situations: Sequence[Situation], cells: dict[tuple[str, str], Cell]) -> list[Situation]:
    """Those of which every way was measured."""
    return [one for one in situations if all((one.name, way) in cells for way in WAYS)]


def decision_table(cells: dict[tuple[str, str], Cell]) -> list[str]:
    """Ways by situations; the best IoU of each situation is bold, with those that are even with it over the same images."""
    situations = measured(SITUATIONS, cells)
    counts = [len(cells[one.name, "focus"].iou) for one in situations]
    heads = [f"{one.title} ({count} images)" for one, count in zip(situations, counts, strict=True)]
    lines = ["| encoded | " + " | ".join(heads) + " |", "|" + "---|" * (1 + len(heads))]
    for way in WAYS:
        row = []
        for one in situations:
            of_ways = {name: cells[one.name, name] for name in WAYS}
            row.append(f"**{of_ways[way]}**" if is_best(of_ways, way) else str(of_ways[way]))
        lines.append(f"| {way} | " + " | ".join(row) + " |")
    return lines


def is_best(cells: dict[str, Cell], way: str) -> bool:
    """Whether no other way is better than this one by more than the 95 % interval of their difference."""
    best = max(cells.values(), key=lambda cell: cell.mean)
    if cells[way] is best:
        return True
    difference, interval = paired(cells[way].iou, best.iou)
    return interval is not None and difference <= interval


def second_pass(cells: dict[tuple[str, str], Cell]) -> list[str]:
    """What a second look with the first mask changes, by situation with boxes."""
    lines = ["| | first | second | difference | 95 % |", "|---|---|---|---|---|"]
    for one in measured(SITUATIONS, cells):
        for way in OF_BOXES:
            if (one.name, way) in cells:
                first, second = cells[one.name, "focus"], cells[one.name, way]
                difference, interval = paired(first.iou, second.iou)
                assert interval is not None, "of several images"
                lines.append(f"| {one.title} | {first.mean:.3f} | {second.mean:.3f} | {difference:+.3f} | ±{interval:.3f} |")
    return lines


def mosaic_tables(cells: dict[tuple[str, str], Cell]) -> list[str]:
    lines = []
    for one in measured(MOSAICS, cells):
        first = cells[one.name, FIRST]
        lines += ["", f"{one.title}, {len(first.iou)} pictures, up to {one.most} objects each:", ""]
        lines += ["| encoded | IoU | minus its own size, plain | 95 % | seconds | peak, GB |", "|" + "---|" * 6]
        for way in ways_of(one):
            if (one.name, way) not in cells or cells[one.name, way].iou.keys() != first.iou.keys():
                continue  # of a run that is not done
            cell = cells[one.name, way]
            difference, interval = paired(first.iou, cell.iou)
            assert interval is not None, "of several pictures"
            change = "| | " if way == FIRST else f"| {difference:+.3f} | ±{interval:.3f} "
            cost = f"{statistics.median(cell.seconds):.2f} | {cell.peak_mb / 1024:.1f}"
            lines.append(f"| {way} | {cell.mean:.3f} {change}| {cost} |")
    return lines
