"""From the lines of a run to its table: a row per size, method and prompt, independent of the order of lines."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from basam.files import write_json, write_rows, write_text
from basam.lab import latex
from basam.lab.data import Dataset
from basam.lab.evaluation.lines import Line, Results
from basam.lab.evaluation.settings import Variant
from basam.lab.metrics import COLUMNS, coco_ap, summarise

Row = dict[str, Any]
HEAD = ("size", "method", "prompt", "images", "count")


def lines_of(results: Results, samples: Iterable[str], variant: Variant, prompt: str) -> list[Line]:
    """Measured lines of one row, in the order of samples."""
    keys = [(sample, variant.size, variant.method, prompt) for sample in samples]
    return [results.measured[key] for key in keys if key in results.measured]


def make_row(dataset: Dataset, variant: Variant, prompt: str, lines: list[Line]) -> Row:
    """Figures of one row; `images` and `count` (instances) are the numbers averaged over; None: undefined."""
    row: Row = {"size": variant.size, "method": variant.method, "prompt": prompt, "images": len(lines)}
    instances = [instance for line in lines for instance in line["instances"]]
    row["count"] = len(instances)
    records = [instance["metrics"] for instance in instances if instance["metrics"]]
    if records:
        row |= summarise(records)
    if dataset.annotations is not None and lines:
        images = [int(line["sample"]) for line in lines]
        figures = coco_ap(dataset.annotations, coco_results(lines), images, dataset.crowds_are_objects) if instances else {}
        row |= {name: None if math.isnan(value) else value for name, value in figures.items()}
    return row


def coco_results(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Masks of all lines in the format of `coco_ap`."""
    return [
        {
            "image_id": int(line["sample"]),
            "category_id": instance["category_id"],
            "segmentation": instance["rle"],
            "score": instance["score"],
            "order": int(instance["id"]),
        }
        for line in lines
        for instance in line["instances"]
    ]


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Columns that are defined in some row, in the order of `COLUMNS`."""
    present = {name for row in rows for name, value in row.items() if value is not None}
    return [name for name in COLUMNS if name in present]


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write `summary.json`, `summary.csv` (its rows; undefined figures are empty) and `summary.tex`."""
    write_json(folder / "summary.json", summary)
    rows = summary["rows"]
    undefined = sorted({name for row in rows for name in row if name.endswith("_undefined")})
    columns = [*HEAD, *columns_of(rows), *undefined]
    write_rows(folder / "summary.csv", columns, ([row.get(name) for name in columns] for row in rows))
    write_text(folder / "summary.tex", latex_tables(summary))


def latex_tables(summary: dict[str, Any]) -> list[str]:
    """A table per prompt, the best figure of every column in bold."""
    tables = []
    for prompt in dict.fromkeys(row["prompt"] for row in summary["rows"]):
        rows = [row for row in summary["rows"] if row["prompt"] == prompt]
        columns = columns_of(rows)
        best = {name: best_value(name, rows) for name in columns}
        cells = []
        for row in rows:
            figures = [(figure(row.get(name)), row.get(name) == best[name]) for name in columns]
            cells.append([row["method"], str(row["size"]), *(f"**{text}**" if bold else text for text, bold in figures)])
        header = ["method", "size", *(COLUMNS[name].title for name in columns)]
        tables.append(latex(header, cells, caption=f"{summary['data']}, prompt {prompt}, {summary['images']} images"))
    return tables


def best_value(name: str, rows: Iterable[Row]) -> float:
    values = [row[name] for row in rows if row.get(name) is not None]
    return max(values) if COLUMNS[name].higher_is_better else min(values)


def figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
