"""Plots of a run: metrics against size, and precision against recall. Drawn without a display."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from basam.files import replacing, require
from basam.lab.evaluation.lines import Line
from basam.lab.evaluation.methods import METHODS
from basam.lab.evaluation.settings import NATIVE
from basam.lab.evaluation.tables import Row, columns_of
from basam.lab.metrics import COLUMNS, mean_curves

# Least span of an axis, absolute and as a share of its highest value: smaller differences are not worth looking at.
LEAST_SPAN, LEAST_SHARE = 0.05, 0.1
# Figures that get a panel if they were measured: the first `PANELS` of these.
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


def widen(axis: Any) -> None:
    """Make the vertical axis span enough, around the data, for small differences to look small."""
    axis.margins(y=0.12)  # markers at the edge are seen whole
    low, high = axis.get_ylim()
    span = max(LEAST_SPAN, LEAST_SHARE * abs(high))
    if high - low < span:
        bottom = (low + high - span) / 2
        bottom = 0.0 if bottom < 0 <= low else bottom  # figures are not negative
        axis.set_ylim(bottom, bottom + span)


def interval(row: Row, name: str) -> float:
    """Half the width of the interval of a figure; NaN, which is not drawn, if there is none."""
    half = row.get("intervals", {}).get(name)
    return math.nan if half is None else float(half)


def metric_against_size(rows: Sequence[Row], title: str, path: Path) -> Path:
    """One panel per metric and one line per method, for the rows of one prompt; `resize` has one size and is a horizontal line.

    Bars are the `intervals` of the rows, 95 % over photographs.
    """
    present = columns_of(rows)
    names = [name for name in PREFERRED if name in present][:PANELS] or present[:PANELS]
    across = min(3, len(names))
    figure, axes = new_figure(across, -(-len(names) // across), 3.6, 2.9)
    sizes = size_order(rows)
    methods = [method for method in METHODS if any(row["method"] == method for row in rows)]
    for axis, name in zip(axes.flat, names, strict=False):
        for order, method in enumerate(methods):
            points = {row["size"]: row.get(name) for row in rows if row["method"] == method}
            method_style = METHODS[method]
            style = {"color": method_style.colour, "linestyle": method_style.line, "label": method_style.label}
            halves = {row["size"]: interval(row, name) for row in rows if row["method"] == method}
            if method == "resize":
                (size, value), *_ = points.items()
                if value is not None:
                    axis.axhline(value, **style)
                    # At the left edge, which has no size.
                    axis.errorbar(
                        [-0.22], [value], yerr=[halves[size]], color=method_style.colour, marker=method_style.marker, capsize=2
                    )
                continue
            values = [np.nan if points.get(size) is None else points[size] for size in sizes]
            # Side by side, so that the intervals of close methods can be distinguished.
            places = np.arange(len(sizes)) + 0.05 * (order - (len(methods) - 1) / 2)
            bars = [halves.get(size, np.nan) for size in sizes]
            axis.errorbar(places, values, yerr=bars, marker=method_style.marker, capsize=2, elinewidth=1, markersize=5, **style)
        axis.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        axis.set_xlim(-0.3, max(len(sizes) - 0.7, 0.3))
        axis.set_xlabel("long side, pixels")
        column = COLUMNS[name]
        axis.set_title(f"{column.title} ({'higher' if column.higher_is_better else 'lower'} is better)", fontsize=9)
        axis.grid(alpha=0.3)
        widen(axis)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_visible(False)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.suptitle(f"{title}\nbars: 95 % intervals over photographs", fontsize=10, parse_math=False)
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return save_figure(figure, path)


def precision_recall(groups: Sequence[tuple[str, int | str, Sequence[Line]]], title: str, path: Path) -> Path | None:
    """A line per method and size; None if precision was not measured. `groups`: method, size, lines of the row."""
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
        method_style = METHODS[method]
        style = {"color": method_style.colour, "linestyle": method_style.line, "label": f"{method} {size}"}
        axis.plot(curves["recall"], curves["precision"], alpha=shade, **style)
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
