"""The table of a benchmark for people: Markdown, a terminal and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from basam.evaluation.benchmarking.running import Benchmark
from basam.evaluation.benchmarking.settings import METHODS, ZERO_SHOT
from basam.evaluation.metrics import COLUMNS
from basam.evaluation.plots import new_figure, save_figure

# Columns that metrics make beside these are left to the runs' own tables.
SHOWN = ("iou", "boundary_iou", "dice", "weighted_f", "s_measure", "f_max", "mae")
STYLES = {"plain": "--", "basam": "-"}


def name_of(candidate: str, method: str) -> str:
    return f"{candidate}, {METHODS[method]}"


def columns_of(result: Benchmark) -> list[tuple[str, str]]:
    """Kinds of data with the figures that are shown of each."""
    return [
        (kind, metric)
        for kind in result.titles
        for metric in SHOWN
        if any(row["kind"] == kind and row.get(metric) is not None for row in result.rows)
    ]


def grid(result: Benchmark, prompt: str, size: int | str) -> list[list[str]]:
    """Cells of the table of one prompt and size: a name, then a figure for each of `columns_of`."""
    lines = []
    for candidate, method in result.places():
        where = {"candidate": candidate, "method": method, "prompt": prompt, "size": size}
        values = [result.figure(metric, kind=kind, **where) for kind, metric in columns_of(result)]
        lines.append([name_of(candidate, method), *("-" if value is None else f"{value:.3f}" for value in values)])
    return lines


def settings_of(result: Benchmark) -> list[tuple[str, int | str]]:
    """Prompts and sizes, in the order of measuring."""
    return list(dict.fromkeys((row["prompt"], row["size"]) for row in result.rows))


def heads(result: Benchmark) -> list[str]:
    return ["", *(f"{result.titles[kind]}: {COLUMNS[metric].title}" for kind, metric in columns_of(result))]


def markdown(result: Benchmark) -> str:
    """All tables, and one of what the adapters are."""
    parts = []
    for prompt, size in settings_of(result):
        rows = [heads(result), ["---"] * (1 + len(columns_of(result))), *grid(result, prompt, size)]
        parts += [f"### Prompt {prompt}, {size}{' px' if isinstance(size, int) else ''}", "", *map(line, rows), ""]
    if result.tuned:
        parts += ["### Adapters", "", *map(line, adapters(result)), ""]
    return "\n".join(parts)


def adapters(result: Benchmark) -> list[list[str]]:
    titles = ["adapter", "tuned", "numbers", "kB", "sizes", "steps", "kept step", "minutes"]
    rows = [titles, ["---"] * len(titles)]
    for one in result.tuned:
        minutes = "-" if one["seconds"] is None else f"{one['seconds'] / 60:.1f}"
        known = [str(one[name] if one[name] is not None else "-") for name in ("sizes", "steps", "kept")]
        rows.append(
            [
                one["candidate"],
                str(one["tuned"] or "-"),
                f"{one['parameters']:,}",
                f"{one['bytes'] / 1000:,.0f}",
                *known,
                minutes,
            ]
        )
    return rows


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(result: Benchmark, prompt: str, size: int | str) -> Table:
    """The IoU of every data set, for a terminal."""
    out = Table(title=f"IoU, prompt {prompt}, size {size}", box=None, header_style="bold", pad_edge=False)
    shown = [index for index, (_, metric) in enumerate(columns_of(result)) if metric == "iou"]
    for number, title in enumerate(["", *result.titles.values()]):
        out.add_column(title, justify="left" if number == 0 else "right")
    for cells in grid(result, prompt, size):
        out.add_row(cells[0], *(cells[1 + index] for index in shown))
    return out


def plot(result: Benchmark, prompt: str, path: Path) -> Path:
    """IoU against size, one panel per data set and one line per row; uncorrected rows are dashed."""
    kinds = list(result.titles)
    figure, axes = new_figure(len(kinds), 1, 3.4, 3.2)
    sizes: list[Any] = [size for name, size in settings_of(result) if name == prompt]
    names = list(dict.fromkeys(candidate for candidate, _ in result.places()))
    # Specialists are compared with each other nowhere: they share a colour.
    alone = [one for one in names if len({row["kind"] for row in result.rows if row["candidate"] == one}) == 1 < len(kinds)]
    colours = {ZERO_SHOT: "#6c757d"} | dict.fromkeys(alone, "#d1495b")
    rest = iter(("#00798c", "#edae49", "#66a182", "#2e4057"))
    for name in names:
        colours.setdefault(name, next(rest, "#000000"))
    for axis, kind in zip(axes.flat, kinds, strict=True):
        for candidate, method in result.places():
            where = {"candidate": candidate, "method": method, "prompt": prompt, "kind": kind}
            values = [result.figure("iou", size=size, **where) for size in sizes]
            if any(value is not None for value in values):
                label = name_of("specialist" if candidate in alone else candidate, method)
                numbers = [np.nan if value is None else value for value in values]
                axis.plot(range(len(sizes)), numbers, STYLES[method], marker="o", color=colours[candidate], label=label)
        axis.set_xticks(range(len(sizes)), [str(size) for size in sizes])
        axis.set_xlabel("long side, pixels")
        axis.set_title(result.titles[kind], fontsize=9, parse_math=False)
        axis.grid(alpha=0.3)
    axes.flat[0].set_ylabel("IoU")
    labels = {label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.suptitle(f"prompt {prompt}", fontsize=10)
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return save_figure(figure, path)
