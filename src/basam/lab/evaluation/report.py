"""`report.html`: tables, plots and pictures of a run in one file that opens from disk without a network."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from basam.files import read_json, write_text
from basam.lab.data import Dataset, Issues, Sample
from basam.lab.evaluation.gallery import Shot, choose, draw, gallery_measure
from basam.lab.evaluation.lines import Results
from basam.lab.evaluation.methods import METHODS
from basam.lab.evaluation.pairing import ORDER, in_words
from basam.lab.evaluation.plots import metric_against_size, precision_recall, size_order
from basam.lab.evaluation.settings import Variant
from basam.lab.evaluation.store import RunFolder
from basam.lab.evaluation.tables import Row, best_value, columns_of, figure, lines_of
from basam.lab.metrics import COLUMNS

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1d2430; }
h1 { margin-bottom: 0.2rem; } h2 { margin-top: 2.4rem; border-bottom: 1px solid #d5dae1; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th, td { padding: 0.25rem 0.6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e6e9ee; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
td.best { font-weight: 700; } img { max-width: 100%; } pre { background: #f4f6f8; padding: 0.8rem; overflow-x: auto; }
.stand-in, .broken { padding: 0.6rem 1rem; border-left: 5px solid #e09f3e; background: #fdf6e9; }
.broken { border-color: #c1121f; background: #fdecec; } .note { color: #5a6472; font-size: 13px; }
"""


def write_report(
    folder: RunFolder, dataset: Dataset, samples: Sequence[Sample], summary: dict[str, Any], results: Results, issues: Issues
) -> Path:
    """Write plots into the run folder's `plots/`, then `report.html`, which embeds them."""
    rows = summary["rows"]
    body = [head(dataset, summary), problems(issues)]
    for prompt in dict.fromkeys(row["prompt"] for row in rows):
        of_prompt = [row for row in rows if row["prompt"] == prompt]
        body.append(f"<h2>Prompt {escape(prompt)}</h2>")
        body.append(table(of_prompt, results))
        body.append(differences([entry for entry in summary["paired"] if entry["prompt"] == prompt]))
        body += [picture(path) for path in plot(folder.path / "plots", dataset, samples, of_prompt, results)]
    body += pictures(folder.path / "plots", samples, rows, results)
    body.append(footer(read_json(folder.run_file)))
    page = (
        f"<!doctype html>\n<html lang='en'><meta charset='utf-8'><title>{escape(dataset.title)}</title><style>{STYLE}</style>\n"
    )
    path = folder.path / "report.html"
    write_text(path, [page, "\n".join(body), "\n</html>\n"])
    return path


def head(dataset: Dataset, summary: dict[str, Any]) -> str:
    parts = [f"<h1>{escape(dataset.title)}</h1><p>{summary['images']} images.</p>"]
    if dataset.is_stand_in:
        parts.append(
            f"<p class='stand-in'><b>Stand-in data.</b> These images have the layout of a published data set but are others: "
            f"all figures below are of <b>{escape(dataset.name)}</b>, not of the data set with this layout.</p>"
        )
    methods = dict.fromkeys(row["method"] for row in summary["rows"])
    parts.append("<ul>" + "".join(f"<li><b>{name}</b>: {escape(METHODS[name].text)}</li>" for name in methods) + "</ul>")
    parts += [f"<p class='stand-in'>{escape(note)}</p>" for note in summary["notes"]]
    return "\n".join(parts)


def problems(issues: Issues) -> str:
    """Problems of the data: every broken file by name, other problems with counts and some names."""
    parts = []
    if issues.broken:
        items = "".join(f"<li>{escape(str(issue))}</li>" for issue in issues.broken)
        parts.append(
            f"<div class='broken'><b>{len(issues.broken)} could not be read and are in no figure:</b><ul>{items}</ul></div>"
        )
    parts.append("<h2>Problems of the data</h2>")
    lines = "".join(f"<li>{escape(line)}</li>" for line in issues.lines())
    parts.append(f"<ul>{lines}</ul>" if lines else "<p>None found.</p>")
    return "\n".join(parts)


def table(rows: Sequence[Row], results: Results) -> str:
    """Figures of one prompt; the best of every column is bold. Seconds are the median of encoding one image."""
    columns = columns_of(rows)
    titles = [*("method", "size", "images", "objects"), *(COLUMNS[name].title for name in columns), "encoding, s"]
    cells = "".join(f"<th>{escape(title)}</th>" for title in titles)
    lines = [f"<div class='wide'><table><tr>{cells}</tr>"]
    best = {name: best_value(name, rows) for name in columns}
    for row in rows:
        cells = f"<td>{row['method']}</td><td>{row['size']}</td><td>{row['images']}</td><td>{row['count']}</td>"
        for name in columns:
            cells += f"<td{' class=best' if row.get(name) == best[name] else ''}>{with_undefined(name, row)}</td>"
        lines.append(f"<tr>{cells}<td>{seconds(row, results)}</td></tr>")
    lines.append("</table></div>")
    lines.append("<p class='note'>min-max: " + ", ".join(titled(columns, "min-max")) + ". ")
    lines.append("As delivered (probabilities, cut at 0.5): " + ", ".join(titled(columns, "as delivered")) + ".</p>")
    return "\n".join(lines)


def differences(entries: Sequence[dict[str, Any]]) -> str:
    """Paired differences of one prompt, in every figure that is defined per photograph."""
    columns = [name for name in COLUMNS if any(name in entry["differences"] for entry in entries)]
    if not columns:
        return ""
    titles = ["second", "minus first", "images", *(COLUMNS[name].title for name in columns)]
    lines = ["<h3>Paired differences</h3><div class='wide'><table><tr>", *(f"<th>{escape(title)}</th>" for title in titles)]
    for entry in entries:
        cells = [entry["second"], entry["first"], str(entry["images"]), *(in_words(entry, name) for name in columns)]
        lines += ["</tr><tr>", *(f"<td>{escape(cell)}</td>" for cell in cells)]
    lines.append("</tr></table></div><p class='note'>Mean difference over photographs ± half of its 95 % interval. ")
    lines.append("An interval that holds 0 does not separate the two methods.</p>")
    return "".join(lines)


def titled(columns: Iterable[str], convention: str) -> list[str]:
    return [COLUMNS[name].title for name in columns if COLUMNS[name].convention == convention] or ["none"]


def with_undefined(name: str, row: Row) -> str:
    """A figure in readable form, with the number of masks for which it is not defined."""
    text, undefined = figure(row.get(name)), row.get(f"{name}_undefined")
    return f"{text} ({undefined} undefined)" if undefined else text


def seconds(row: Row, results: Results) -> str:
    key = row["size"], row["method"], row["prompt"]
    taken = sorted(line["encode_seconds"] for (_, *rest), line in results.measured.items() if tuple(rest) == key)
    return f"{taken[len(taken) // 2]:.2f}" if taken else "-"


def plot(folder: Path, dataset: Dataset, samples: Sequence[Sample], rows: Sequence[Row], results: Results) -> list[Path]:
    prompt, plots = rows[0]["prompt"], []
    name = re.sub(r"[^a-z0-9]+", "-", prompt)
    title = f"{dataset.title}, prompt {prompt}"
    ids = [sample.id for sample in samples]
    if columns_of(rows):
        plots.append(metric_against_size(rows, title, folder / f"metric-against-size_{name}.png"))
    groups = [(row["method"], row["size"], lines_of(results, ids, Variant(row["size"], row["method"]), prompt)) for row in rows]
    curve = precision_recall(groups, title, folder / f"precision-recall_{name}.png")
    return plots if curve is None else [*plots, curve]


def pictures(folder: Path, samples: Sequence[Sample], rows: Sequence[Row], results: Results) -> list[str]:
    """The gallery as HTML, its pictures in `folder`."""
    compared = compare(rows, results, [sample.id for sample in samples])
    measure = None if compared is None else gallery_measure(mask for shot in compared.shots for mask in shot.masks.values())
    if compared is None or measure is None:
        return []
    by_id = {sample.id: sample for sample in samples}
    parts = [f"<h2>Gallery</h2><p>By {escape(measure.title)}; prompt {escape(compared.prompt)}, size {compared.size}.</p>"]
    for number, (heading, shots) in enumerate(choose(compared.shots, compared.first, compared.other, measure).items(), start=1):
        path = draw(shots, by_id.__getitem__, measure, folder / f"gallery_{number}.png")
        if path is not None:
            parts.append(f"<h3>{escape(heading)}</h3>{picture(path)}")
    return parts


def picture(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"<p><img alt='{escape(path.stem)}' src='data:image/png;base64,{data}'></p>"


def footer(run: dict[str, Any]) -> str:
    commands = "\n".join(f"{one['started']}  {' '.join(one['command'])}" for one in run["sessions"])
    facts = {name: run[name] for name in ("data", "model", "settings")} | {"versions": run["sessions"][-1]["versions"]}
    return (
        f"<h2>How it was made</h2><pre>{escape(commands)}</pre>"
        f"<details><summary>Settings, model and versions</summary><pre>{escape(json.dumps(facts, indent=2))}</pre></details>"
    )


@dataclass(frozen=True)
class Comparison:
    """Shots of one prompt at one size; `first` is the method of interest, `other` the one it is compared with."""

    shots: list[Shot]
    first: str
    other: str | None
    size: int | str
    prompt: str


def compare(rows: Sequence[Row], results: Results, samples: Sequence[str]) -> Comparison | None:
    """Methods at the largest size (`native` counts as that), with `resize`; None if no mask was measured.

    `first` is the last method of `pairing.ORDER` that ran, compared with the one before it there.
    """
    prompts = [row["prompt"] for row in rows if row["count"]]
    if not prompts:
        return None
    rows = [row for row in rows if row["prompt"] == prompts[0]]
    sizes = size_order(rows)
    size = sizes[-1] if sizes else rows[0]["size"]
    columns = {(row["size"], row["method"]) for row in rows if row["method"] == "resize" or row["size"] == size}
    ranked = sorted(columns, key=lambda column: ORDER.index(column[1]), reverse=True)
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
