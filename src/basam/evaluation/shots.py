"""Which masks of a run may be set side by side in the gallery: those of one prompt, all methods at one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from basam.evaluation.gallery import Shot
from basam.evaluation.lines import Results
from basam.evaluation.plots import size_order
from basam.evaluation.tables import Row


@dataclass(frozen=True)
class Comparison:
    """Shots of one prompt at one size; `first` is the method that is looked at, `other` what it is compared with."""

    shots: list[Shot]
    first: str
    other: str | None
    size: int | str
    prompt: str


def compare(rows: Sequence[Row], results: Results, samples: Sequence[str]) -> Comparison | None:
    """Methods at the largest size (`native` counts as that), `resize` beside them; None where no mask was measured.

    The method that is looked at is `basam` where it ran, compared with plain SAM at the same size, else with `resize`.
    """
    prompts = [row["prompt"] for row in rows if row["count"]]
    if not prompts:
        return None
    rows = [row for row in rows if row["prompt"] == prompts[0]]
    sizes = size_order(rows)
    size = sizes[-1] if sizes else rows[0]["size"]
    columns = {(row["size"], row["method"]) for row in rows if row["method"] == "resize" or row["size"] == size}
    ranked = sorted(columns, key=lambda column: ("basam", "plain", "resize").index(column[1]))
    labels = {column: f"{column[1]} {column[0]}" for column in ranked}
    shots = []
    for sample in samples:
        lines = {column: results.measured.get((sample, *column, prompts[0])) for column in ranked}
        if any(line is None for line in lines.values()):
            continue
        by_id = {column: {one["id"]: one for one in line["instances"]} for column, line in lines.items() if line is not None}
        for instance in by_id[ranked[0]]:
            masks = {labels[column]: by_id[column][instance] for column in reversed(ranked)}
            if all(mask["metrics"] for mask in masks.values()):
                shots.append(Shot(sample, instance, masks))
    if not shots:
        return None
    names = [labels[column] for column in ranked]
    return Comparison(shots, names[0], names[1] if len(names) > 1 else None, size, prompts[0])
