"""Plots of a run: metrics against size, and precision against recall. Drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from basam.evaluation.lines import Line
from basam.evaluation.metrics import COLUMNS, mean_curves
from basam.evaluation.settings import NATIVE
from basam.evaluation.tables import Row, columns_of
from basam.files import replacing, require

COLOURS = {"resize": "#6c757d", "plain": "#d1495b", "basam": "#00798c"}
MARKERS = {"resize": "s", "plain": "o", "basam": "^"}
LABELS = {"resize": "resize: squeezed to the trained size", "plain": "plain SAM", "basam": "basam"}
# Which figures get a panel, where they were measured: the first ones of these, up to `PANELS`.
PREFERRED = ("iou", "boundary_iou", "s_measure", "weighted_f", "mae", "ap", "ap_small", "hce", "f_max", "dice")
PANELS = 6


def new_figure(columns: int, rows: int, width: float, height: float) -> tuple[Any, np.ndarray]:
    """A figure and its axes, (rows, columns), without pyplot's global state."""
    figure = require("matplotlib.figure", "evaluate").Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def save_figure(figure: Any, path: Path) -> Path:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", metadata={"Software": None})
    return path


def size_order(rows: Sequence[Row]) -> list[int | str]:
    """Sizes of methods that have several, numbers upwards and `native` last."""
    sizes = {row["size"] for row in rows if row["method"] != "resize"}
    return sorted((size for size in sizes if size != NATIVE), key=int) + ([NATIVE] if NATIVE in sizes else [])


def metric_against_size(rows: Sequence[Row], title: str, path: Path) -> Path:
    """One panel per metric and one line per method, for the rows of one prompt; `resize`, of one size, is a level line."""
    present = columns_of(rows)
    names = [name for name in PREFERRED if name in present][:PANELS] or present[:PANELS]
    across = min(3, len(names))
    figure, axes = new_figure(across, -(-len(names) // across), 3.6, 2.9)
    sizes = size_order(rows)
    for axis, name in zip(axes.flat, names, strict=False):
        for method in ("resize", "plain", "basam"):
            points = {row["size"]: row.get(name) for row in rows if row["method"] == method}
            if not points:
                continue
            style = {"color": COLOURS[method], "label": LABELS[method]}
            if method == "resize":
                value = next(iter(points.values()))
                if value is not None:
                    axis.axhline(value, linestyle="--", **style)
            else:
                values = [np.nan if points.get(size) is None else points[size] for size in sizes]
                axis.plot(range(len(sizes)), values, marker=MARKERS[method], **style)
        axis.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        axis.set_xlim(-0.3, max(len(sizes) - 0.7, 0.3))
        axis.set_xlabel("long side, pixels")
        column = COLUMNS[name]
        axis.set_title(f"{column.title} ({'higher' if column.higher_is_better else 'lower'} is better)", fontsize=9)
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_visible(False)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.suptitle(title, fontsize=10, parse_math=False)
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return save_figure(figure, path)


def precision_recall(groups: Sequence[tuple[str, int | str, Sequence[Line]]], title: str, path: Path) -> Path | None:
    """A line for every method and size; None where no precision was measured. `groups`: method, size, lines of the row."""
    sizes = [size for _, size, _ in groups]
    figure, axes = new_figure(1, 1, 6.4, 4.2)
    axis = axes[0, 0]
    drawn = False
    for method, size, lines in groups:
        records = [
            instance["metrics"] for line in lines for instance in line["instances"] if "precision_curve" in instance["metrics"]
        ]
        if not records:
            continue
        curves = mean_curves(records)
        others = [other for other in dict.fromkeys(sizes) if isinstance(other, str) or method != "resize"]
        shade = 1.0 if method == "resize" else 0.35 + 0.65 * (others.index(size) + 1) / len(others)
        style = "--" if method == "resize" else "-" if method == "basam" else ":"
        axis.plot(curves["recall"], curves["precision"], style, color=COLOURS[method], alpha=shade, label=f"{method} {size}")
        drawn = True
    if not drawn:
        return None
    axis.set_xlabel("recall")
    axis.set_ylabel("precision")
    axis.set_xlim(0, 1.01)
    axis.set_ylim(0, 1.01)
    axis.grid(alpha=0.3)
    axis.set_title(f"{title}\nmean over masks at 256 thresholds (min-max)", fontsize=9, parse_math=False)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return save_figure(figure, path)
