"""The table of a benchmark for people: Markdown, a terminal and a plot."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from basam.lab import latex, markdown
from basam.lab.benchmarking.running import Benchmark
from basam.lab.benchmarking.settings import METHODS, ZERO_SHOT
from basam.lab.evaluation import in_words, interval, new_figure, save_figure, widen
from basam.lab.metrics import COLUMNS
from basam.printing import new_table

# Other columns of these metrics are only in the runs' own tables.
METRIC_COLUMNS = ("iou", "boundary_iou", "dice", "weighted_f", "s_measure", "f_max", "mae")
STYLES = {
    "plain": {"linestyle": "--", "marker": "o", "markerfacecolor": "white"},
    "basam": {"linestyle": "-", "marker": "^"},
    "focus": {"linestyle": "none", "marker": "s"},
}
# Headings: the base, the specialists, then the other candidates.
COLOURS = ("#6c757d", "#d1495b", "#00798c", "#edae49", "#3d348b", "#66a182", "#f2727f", "#2e4057", "#b56576", "#7f4f24")


def name_of(candidate: str, method: str) -> str:
    return f"{candidate}, {METHODS[method]}"


def columns_of(result: Benchmark) -> list[tuple[str, str]]:
    """Kinds of data with the metrics in their columns."""
    return [
        (kind, metric)
        for kind in result.titles
        for metric in METRIC_COLUMNS
        if any(row["kind"] == kind and row.get(metric) is not None for row in result.rows)
    ]


def grid(result: Benchmark, prompt: str, size: int | str) -> list[list[str]]:
    """Cells of the table of one prompt and size: a name, then a figure per column of `columns_of`."""
    lines = []
    for candidate, method in result.places():
        where = {"candidate": candidate, "method": method, "prompt": prompt, "size": size}
        if result.row(**where) is None:
            continue
        values = [result.figure(metric, kind=kind, **where) for kind, metric in columns_of(result)]
        lines.append([name_of(candidate, method), *("-" if value is None else f"{value:.3f}" for value in values)])
    return lines


def settings_of(result: Benchmark) -> list[tuple[str, int | str]]:
    """Prompts and sizes, in the order of measuring."""
    return list(dict.fromkeys((row["prompt"], row["size"]) for row in result.rows))


def heads(result: Benchmark) -> list[str]:
    return ["", *(f"{result.titles[kind]}: {COLUMNS[metric].title}" for kind, metric in columns_of(result))]


def page(result: Benchmark) -> str:
    """All tables, and one that describes the adapters."""
    parts = []
    for prompt, size in settings_of(result):
        table = markdown(heads(result), grid(result, prompt, size))
        parts += [f"### Prompt {prompt}, {in_pixels(result, prompt, size)}", "", table, ""]
    if result.paired:
        parts += ["### Paired differences", "", markdown(*differences(result)), ""]
    if result.tuned:
        parts += ["### Adapters", "", markdown(*adapters(result)), ""]
    return "\n".join(parts)


def latex_page(result: Benchmark) -> str:
    """A LaTeX table per prompt and size."""
    return "\n".join(
        latex(heads(result), grid(result, prompt, size), caption=f"Prompt {prompt}, {in_pixels(result, prompt, size)}")
        for prompt, size in settings_of(result)
    )


def in_pixels(result: Benchmark, prompt: str, size: int | str) -> str:
    """The unit of this size: whole photographs, or regions if nothing else was measured at it."""
    methods = {row["method"] for row in result.rows if (row["prompt"], row["size"]) == (prompt, size)}
    return f"{'regions of ' if methods == {'focus'} else ''}{size}{' px' if isinstance(size, int) else ''}"


def differences(result: Benchmark) -> tuple[list[str], list[list[str]]]:
    """Corrected minus uncorrected, in the metrics shown for the data, with half of the 95 % interval."""
    metrics = [metric for metric in METRIC_COLUMNS if any(metric in entry["differences"] for entry in result.paired)]
    figures = [f"{COLUMNS[metric].title} ± 95 %" for metric in metrics]
    rows = []
    for entry in result.paired:
        about = [str(entry[name]) for name in ("candidate", "data", "prompt", "second", "first", "images")]
        rows.append([*about, *(in_words(entry, metric) for metric in metrics)])
    return ["", "data", "prompt", "second", "minus first", "images", *figures], rows


def adapters(result: Benchmark) -> tuple[list[str], list[list[str]]]:
    titles = ["adapter", "tuned", "numbers", "kB", "sizes", "steps", "kept step", "minutes"]
    rows = []
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
    return titles, rows


def table(result: Benchmark, prompt: str, size: int | str) -> Table:
    """The IoU of every data set, for a terminal."""
    title = f"IoU, prompt {prompt}, size {in_pixels(result, prompt, size)}"
    out = new_table(["", *result.titles.values()], title=title, texts=("",))
    shown = [index for index, (_, metric) in enumerate(columns_of(result)) if metric == "iou"]
    for cells in grid(result, prompt, size):
        out.add_row(cells[0], *(cells[1 + index] for index in shown))
    return out


def colour_of(index: int) -> str:
    """A distinct colour per candidate: listed ones, then hues between hues."""
    listed = COLOURS[2:]
    if index < len(listed):
        return listed[index]
    red, green, blue = colorsys.hsv_to_rgb((index * 0.618034) % 1, 0.75, 0.7)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def plot(result: Benchmark, prompt: str, path: Path) -> Path:
    """IoU against size, one panel per data set and one line per row; uncorrected rows are dashed."""
    kinds = list(result.titles)
    figure, axes = new_figure(len(kinds), 1, 3.4, 3.2)
    sizes: list[Any] = [size for name, size in settings_of(result) if name == prompt]
    names = list(dict.fromkeys(candidate for candidate, _ in result.places()))
    # Specialists are never compared with one another, so they share a colour.
    alone = [one for one in names if len({row["kind"] for row in result.rows if row["candidate"] == one}) == 1 < len(kinds)]
    colours = {ZERO_SHOT: COLOURS[0]} | dict.fromkeys(alone, COLOURS[1])
    others = [name for name in names if name not in colours]
    colours |= {name: colour_of(index) for index, name in enumerate(others)}
    for axis, kind in zip(axes.flat, kinds, strict=True):
        for candidate, method in result.places():
            where = {"candidate": candidate, "method": method, "prompt": prompt, "kind": kind}
            values = [result.figure("iou", size=size, **where) for size in sizes]
            if any(value is not None for value in values):
                label = name_of("specialist" if candidate in alone else candidate, method)
                numbers = [np.nan if value is None else value for value in values]
                bars = [interval(row, "iou") if (row := result.row(size=size, **where)) else np.nan for size in sizes]
                place = result.places().index((candidate, method)) - (len(result.places()) - 1) / 2
                places = np.arange(len(sizes)) + min(0.05, 0.5 / len(result.places())) * place
                style = {"color": colours[candidate], "label": label, "capsize": 2, "elinewidth": 1, **STYLES[method]}
                axis.errorbar(places, numbers, yerr=bars, **style)
        axis.set_xticks(range(len(sizes)), [in_pixels(result, prompt, size).removesuffix(" px") for size in sizes])
        axis.set_xlabel("long side, pixels")
        axis.set_title(result.titles[kind], fontsize=9, parse_math=False)
        axis.grid(alpha=0.3)
        widen(axis)
    axes.flat[0].set_ylabel("IoU")
    labels = {label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.suptitle(f"prompt {prompt}; bars: 95 % intervals over photographs", fontsize=10)
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return save_figure(figure, path)
