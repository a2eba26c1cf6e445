"""The tables of the data sets, from runs of `basam evaluate`."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basam.lab.data import open_dataset
from basam.lab.evaluation import paired
from studies.focus_study.sets import BOX_ROWS, NAMES, NATIVE, PROMPTS, ROWS, RUNS, Set


@dataclass
class Row:
    """One row of a table: by sample the mean of its objects, by object its share of the photo and IoU, and seconds."""

    iou: dict[str, float]
    boundary: dict[str, float]
    objects: dict[tuple[str, str], float]
    seconds: list[float]


def read(folder: Path) -> dict[tuple[str, str, int | str], Row]:
    """Every (prompt, method, size) of a run."""
    cells: dict[tuple[str, str, int | str], Row] = defaultdict(lambda: Row({}, {}, {}, []))
    for text in (folder / "per_image.jsonl").read_text().splitlines():
        line = json.loads(text)
        if not line.get("instances"):
            continue
        cell, sample = cells[line["prompt"], line["method"], line["size"]], line["sample"]
        metrics = [instance["metrics"] for instance in line["instances"]]
        cell.iou[sample] = statistics.fmean(each["iou"] for each in metrics)
        cell.boundary[sample] = statistics.fmean(each["boundary_iou"] for each in metrics)
        cell.objects |= {(sample, instance["id"]): instance["metrics"]["iou"] for instance in line["instances"]}
        cell.seconds.append(line["encode_seconds"])
    return cells


def shares(data: Set) -> dict[tuple[str, str], float]:
    """What share of its photo each object covers; kept beside the runs, since reading masks takes long."""
    kept = RUNS / f"{data.name}-shares.json"
    if not kept.is_file():
        dataset = open_dataset(data.kind, data.root, data.split)
        loaded = ((sample.id, sample.load()) for sample in dataset)
        found = [[name, instance.id, float(instance.mask.mean())] for name, one in loaded for instance in one.instances]
        kept.write_text(json.dumps(found))
    return {(sample, instance): share for sample, instance, share in json.loads(kept.read_text())}


def table(data: Set, rows: Sequence[tuple[str, int | str]], cells: dict[Any, Row], prompt: str) -> list[str]:
    """Lines of one table; differences are paired by image, to the first row."""
    share = shares(data)
    of = {row: cells[prompt, row[0], row[1]] for row in rows}
    first = of[rows[0]]
    known = sorted(share[key] for key in first.objects)
    third = known[len(known) // 3]
    lines = [
        "| encoded | IoU | smallest third | boundary IoU | difference of IoU | 95 % | encoding, s |",
        "|" + "---|" * 7,
    ]
    for row in rows:
        cell = of[row]
        small = statistics.fmean(iou for key, iou in cell.objects.items() if share[key] <= third)
        difference, interval = paired(first.iou, cell.iou)
        assert interval is not None, "of several photos"
        change = "| | " if row == rows[0] else f"| {difference:+.3f} | ±{interval:.3f} "
        lines.append(
            f"| {NAMES[row]} | {statistics.fmean(cell.iou.values()):.3f} | {small:.3f} "
            f"| {statistics.fmean(cell.boundary.values()):.3f} {change}| {statistics.median(cell.seconds):.2f} |"
        )
    return lines


def section(data: Set) -> list[str]:
    cells = {key: cell for part in ("whole", "corrected", "region", "larger") for key, cell in read(data.run(part)).items()}
    lines = ["", f"## {data.name}", "", f"{data.about} {len(next(iter(cells.values())).iou)} images, "]
    lines[-1] += f"{len(next(iter(cells.values())).objects)} objects."
    for prompt, title in PROMPTS.items():
        rows = BOX_ROWS if prompt == "gt-box" else ROWS
        lines += ["", f"{title}:", "", *table(data, rows, cells, prompt)]
    if (data.run("native") / "summary.json").is_file():
        native = read(data.run("native"))
        # Fewer images of a set are not always some of the more: only those of both can be compared.
        kept = set(next(iter(native.values())).iou) & set(next(iter(cells.values())).iou)
        both = {key: only(cell, kept) for key, cell in {**cells, **native}.items()}
        for prompt, title in PROMPTS.items():
            lines += ["", f"{title}, {len(kept)} images that were also encoded whole at their own size:", ""]
            lines += table(data, NATIVE, both, prompt)
    return lines


def only(cell: Row, samples: set[str]) -> Row:
    """A cell of some of its samples."""
    objects = {key: iou for key, iou in cell.objects.items() if key[0] in samples}
    iou, boundary = ({name: value for name, value in part.items() if name in samples} for part in (cell.iou, cell.boundary))
    return Row(iou, boundary, objects, cell.seconds)


def sizes_of_whole(done: list[Set]) -> list[str]:
    """The whole photo at twice and at four times the trained side beside the trained side: what `auto` may choose."""
    lines = ["| | " + " | ".join(data.name for data in done) + " | mean | encoding, s |", "|" + "---|" * (3 + len(done))]
    for prompt, title in PROMPTS.items():
        for size in (512, 1024):
            found, means, seconds = [], [], []
            for data in done:
                first = read(data.run("whole"))[prompt, "plain", 256]
                row = read(data.run("whole"))[prompt, "plain", size]
                difference, interval = paired(first.iou, row.iou)
                assert interval is not None, "of several photos"
                found.append(f"{difference:+.3f} ± {interval:.3f}")
                means.append(difference)
                seconds.append(statistics.median(row.seconds))
            lines.append(
                f"| {title.lower()}, {size} px | {' | '.join(found)} | {statistics.fmean(means):+.3f} "
                f"| {statistics.fmean(seconds):.2f} |"
            )
    return lines


def verdicts(done: list[Set]) -> list[str]:
    """On which sets the region is better or worse than the whole photo at the trained size; computed, not judged."""
    lines = ["| | " + " | ".join(data.name for data in done) + " |", "|" + "---|" * (1 + len(done))]
    for prompt, title in PROMPTS.items():
        found = []
        for data in done:
            whole, region = read(data.run("whole")), read(data.run("region"))
            difference, interval = paired(whole[prompt, "plain", 256].iou, region[prompt, "focus", 256].iou)
            assert interval is not None, "of several photos"
            word = "even" if abs(difference) <= interval else "better" if difference > 0 else "worse"
            found.append(f"{word} ({difference:+.3f} ± {interval:.3f})")
        lines.append(f"| {title.lower()} | " + " | ".join(found) + " |")
    return lines
