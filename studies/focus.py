"""The tables of docs/results/focus.md: the region of each prompt beside the whole photo, on five data sets.

    python -m studies.focus            # run what is missing, then write the page
    python -m studies.focus --page     # write the page from what has been run

Runs resume where they were stopped. Photographs are looked for in ../shared/data, generated scenes are made.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basam.data import open_dataset
from basam.evaluation import paired
from studies.commands import basam

ROOT = Path(__file__).parents[1]
DATA = Path("../shared/data")
RUNS = Path("runs/focus")
PAGE = Path("docs/results/focus.md")
SCENES = RUNS / "generated-COD10K"
MAKE_SCENES = ["scenes", "--out", str(SCENES), "--domain", "camouflage", "--split", "test", "--count", "16", "--size", "1024"]
PROMPTS = {"gt-box": "Box", "gt-point": "Click"}
# What is compared, as (method, size); differences are taken to the first.
ROWS = (("plain", 256), ("plain", 512), ("basam", 512), ("focus", 256))
BOX_ROWS = (*ROWS, ("focus", 384), ("focus-plain", 384))
NATIVE = (("plain", 256), ("plain", "native"), ("basam", "native"), ("focus", 256))
NAMES = {
    ("plain", 256): "whole photo, 256 px, the trained size",
    ("plain", 512): "whole photo, 512 px, plain",
    ("basam", 512): "whole photo, 512 px, corrected",
    ("plain", "native"): "whole photo, its own size, plain",
    ("basam", "native"): "whole photo, its own size, corrected",
    ("focus", 256): "**region, 256 px**",
    ("focus", 384): "region, 384 px, corrected",
    ("focus-plain", 384): "region, 384 px, plain",
}


@dataclass(frozen=True)
class Set:
    """One data set: what is evaluated, and on how many images; `native` of them also at their own size."""

    name: str
    kind: str
    root: Path
    split: str
    limit: int
    native: int
    about: str

    def command(self, part: str) -> list[str]:
        named = ["--name", self.root.name] if self.root.name.startswith("standin-") else []
        words = ["evaluate", self.kind, str(self.root), *named, "--split", self.split, "--model", "nano", *PARTS[part]]
        limit = self.native if part == "native" else self.limit
        rest = ["--metrics", "iou,boundary_iou", "--seed", "0", "--device", "cpu"]
        return [*words, *rest, "--limit", str(limit), "--out", str(self.run(part))]

    def run(self, part: str) -> Path:
        return RUNS / f"{self.name}-{part}"


# Runs of every set: the whole photo, regions, regions of more pixels than trained (boxes only: clicks look at seven), and the
# whole photo at its own size, which takes so long that only some are.
BOTH = ["--prompts", "gt-box,gt-point"]
PARTS = {
    "whole": ["--sizes", "256,512", "--methods", "plain,basam", *BOTH],
    "region": ["--sizes", "256", "--methods", "focus", *BOTH],
    "larger": ["--sizes", "384", "--methods", "focus,focus-plain", "--prompts", "gt-box"],
    "native": ["--sizes", "native", "--methods", "plain,basam", *BOTH],
}
SETS = (
    Set("coco", "coco", DATA / "COCO", "val2017", 25, 12, "Photographs of COCO val2017, all instances."),
    Set("isic2017", "isic2017", DATA / "ISIC2017", "test", 34, 3, "Skin lesions, up to 12 megapixels."),
    Set("standin-duts", "duts", DATA / "standin-DUTS", "DUTS-TE", 40, 8, "**Stand-in**: people, leaves and horses."),
    Set("standin-dis5k", "dis5k", DATA / "standin-DIS5K", "DIS-TE", 9, 3, "**Stand-in**: weeds, vessels and cracks."),
    Set("generated-camouflage", "cod10k", SCENES, "Test", 16, 8, "**Generated** scenes of 1024 px."),
)  # fmt: skip


@dataclass
class Cell:
    """One row of a table: by sample the mean of its objects, by object its share of the photo and IoU, and seconds."""

    iou: dict[str, float]
    boundary: dict[str, float]
    objects: dict[tuple[str, str], float]
    seconds: list[float]


def read(folder: Path) -> dict[tuple[str, str, int | str], Cell]:
    """Every (prompt, method, size) of a run."""
    cells: dict[tuple[str, str, int | str], Cell] = defaultdict(lambda: Cell({}, {}, {}, []))
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


def table(data: Set, rows: Sequence[tuple[str, int | str]], cells: dict[Any, Cell], prompt: str) -> list[str]:
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
    cells = {key: cell for part in ("whole", "region", "larger") for key, cell in read(data.run(part)).items()}
    lines = ["", f"## {data.name}", "", f"{data.about} {len(next(iter(cells.values())).iou)} images, "]
    lines[-1] += f"{len(next(iter(cells.values())).objects)} objects."
    for prompt, title in PROMPTS.items():
        rows = BOX_ROWS if prompt == "gt-box" else ROWS
        lines += ["", f"{title}:", "", *table(data, rows, cells, prompt)]
    if data.run("native").is_dir():
        native = read(data.run("native"))
        kept = set(next(iter(native.values())).iou)
        both = {key: only(cell, kept) for key, cell in {**cells, **native}.items()}
        for prompt, title in PROMPTS.items():
            lines += ["", f"{title}, {len(kept)} images that were also encoded whole at their own size:", ""]
            lines += table(data, NATIVE, both, prompt)
    return lines


def only(cell: Cell, samples: set[str]) -> Cell:
    """A cell of some of its samples."""
    objects = {key: iou for key, iou in cell.objects.items() if key[0] in samples}
    iou, boundary = ({name: value for name, value in part.items() if name in samples} for part in (cell.iou, cell.boundary))
    return Cell(iou, boundary, objects, cell.seconds)


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


def page(done: list[Set]) -> str:
    run = json.loads((done[0].run("region") / "run.json").read_text())
    made, model = run["sessions"][-1], run["model"]
    commands = [f"basam {shlex.join(MAKE_SCENES)}"]
    commands += [f"basam {shlex.join(data.command(part))}" for data in done for part in PARTS if data.run(part).is_dir()]
    lines = [
        "# Focus: the region that a prompt needs",
        "",
        "A prompt says where to look. `predictor.predict(box=..., focus=True)` encodes the square of the photo around it, at "
        "the photo's own pixels, instead of the whole photo; [method.md](../method.md#focus) says how the square is chosen. "
        "This page compares both with `nano`, which was trained at 256 px; what is found on it is its own, and no figure of a "
        "real SAM.",
        "",
        f"Made by `python -m studies.focus` on {made['started'][:10]}, 2 cores of an AMD EPYC with other work beside it (so "
        f"seconds are rough), no GPU, seed 0, torch {made['versions']['torch']}, weights `{model['sha256'][:12]}`. One mask a "
        "prompt. *Smallest third*: of the objects, by their share of the photo. Differences are paired by image, with half "
        "of their 95 % interval. *Encoding*: median seconds an image in the encoder, for all of its prompts together.",
        "",
        "The rule for clicks was chosen by trial on photographs of these sets, so their figures flatter it; boxes use the "
        "default context of 2, which was looked at on them too.",
        "",
        "## In short",
        "",
        "The region at the trained size beside the whole photo at the trained size, IoU:",
        "",
        *verdicts(done),
        "",
        "So `basam segment` encodes regions by default for boxes, on photos larger than trained: no set is worse beyond its "
        "interval, and small objects gain most. For clicks it does so with `--focus` only: seven squares around the click, of "
        "which the predicted IoU picks one, find small objects in photographs, and lose large ones that look like their "
        "surroundings.",
    ]
    for data in done:
        lines += section(data)
    return "\n".join([*lines, "", "## Commands", "", "```bash", *commands, "```", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="run nothing")
    parser.add_argument("--only", nargs="+", choices=[data.name for data in SETS], help="run these sets only")
    options = parser.parse_args()
    os.chdir(ROOT)
    for part in PARTS:
        for data in SETS:
            if options.page or (options.only and data.name not in options.only):
                continue
            if data.root == SCENES:
                basam(MAKE_SCENES)
            basam(data.command(part))
    done = [data for data in SETS if (data.run("larger") / "summary.json").is_file()]
    PAGE.write_text(page(done), encoding="utf-8")
    print(f"wrote {PAGE} with {len(done)} of {len(SETS)} sets")


if __name__ == "__main__":
    main()
