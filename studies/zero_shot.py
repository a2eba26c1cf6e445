"""The tables of docs/results/zero-shot.md: runs `basam evaluate` on five data sets and writes the page from the summaries.

    python -m studies.zero_shot                  # run what is missing, then write page and plots
    python -m studies.zero_shot --only isic2017  # one table; the page takes the others from their run folders
    python -m studies.zero_shot --page           # write the page from what has been run

Runs resume where they were stopped. Photographs are looked for in ../shared/data, generated scenes are made.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basam.lab.evaluation import paired
from basam.lab.metrics import COLUMNS
from studies.commands import basam
from studies.compare_runs import read

ROOT = Path(__file__).parents[1]
DATA = Path("../shared/data")
RUNS = Path("runs/zero-shot")
DOCS = Path("docs/results")
SCENES = RUNS / "generated-COD10K"
MAKE_SCENES = ["scenes", "--out", str(SCENES), "--domain", "camouflage", "--split", "test", "--count", "16", "--size", "1024"]
SIZES, LARGER_SIZES = "256,512,1024", "512,1024,2048"
COMMON = ["--prompts", "gt-box,gt-point", "--seed", "0"]
# The scaling factor in the mask decoder's attention to the image alone, and the correction as the paper describes it.
DECODER, FULL = "decoder", "full"
MODES: dict[str, dict[str, Any]] = {DECODER: {"scaling": "none", "slope": 0, "decoder": "log"}, FULL: {"strength": 1.0}}
SUBJECTS = {DECODER: "The decoder scaled alone", FULL: "The correction at full strength"}
LARGER = ("facebook/sam-vit-base", "facebook/sam-vit-large", "facebook/sam-vit-huge")


@dataclass(frozen=True)
class Table:
    """One data set: what is evaluated, on how many images, and which figures the page shows."""

    name: str
    kind: str
    root: Path
    split: str
    limit: int
    columns: tuple[str, ...]
    about: str

    @property
    def run(self) -> Path:
        return RUNS / self.name

    @property
    def named(self) -> list[str]:
        """`--name` of data that is no published data set, although it has the layout of one."""
        return ["--name", self.root.name] if self.root.name.startswith("standin-") else []

    def run_of(self, name: str) -> Path:
        """The folder of plain SAM and the scaled decoder, or of the correction at full strength."""
        return self.run if name == DECODER else self.run.with_name(f"{self.name}-{name}")

    def command(self, name: str = DECODER) -> list[str]:
        methods = ["--methods", "resize,plain,basam" if name == DECODER else "basam", "--mode", str(mode_file(name))]
        words = ["evaluate", self.kind, str(self.root), *self.named, "--split", self.split, "--model", "nano", "--sizes", SIZES]
        return [
            *words, *methods, *COMMON,
            "--limit", str(self.limit), "--out", str(self.run_of(name)),
        ]  # fmt: skip

    def command_of_larger(self, model: str) -> list[str]:
        words = ["evaluate", self.kind, str(self.root), *self.named, "--split", self.split, "--model", model]
        words += ["--sizes", LARGER_SIZES]
        methods = ["--methods", "resize,plain,basam"]
        return [*words, *methods, *COMMON, "--out", str(Path("runs") / model.split("/")[1] / self.name)]


def mode_file(name: str) -> Path:
    return RUNS / f"{name}.json"


SALIENCY = ("s_measure", "weighted_f", "f_max", "e_max", "mae", "iou", "boundary_iou")
TABLES = (
    Table("coco", "coco", DATA / "COCO", "val2017", 25, ("ap", "ap50", "ap75", "iou", "dice", "boundary_iou", "mae"),
          "50 photographs of COCO val2017; AP is that of ground-truth prompts, not of detection."),
    Table("isic2017", "isic2017", DATA / "ISIC2017", "test", 16, SALIENCY,
          "Skin lesions: originals of ISIC 2017 and dermoscopy of PH2, not the published test split."),
    Table("standin-duts", "duts", DATA / "standin-DUTS", "DUTS-TE", 50, SALIENCY,
          "**Stand-in**: people, leaves and horses in the layout of DUTS; no image of DUTS is in it."),
    Table("standin-dis5k", "dis5k", DATA / "standin-DIS5K", "DIS-TE", 9, (*SALIENCY, "hce"),
          "**Stand-in**: weeds, vessels and cracks in the layout of DIS5K (TE1 to TE3); no image of DIS5K is in it."),
    Table("generated-camouflage", "cod10k", SCENES, "Test", 16, (*SALIENCY, "camouflage_context_measure"),
          "**Generated** scenes of 1024 px in the layout of COD10K; no photograph is in it."),
)  # fmt: skip


def page(tables: list[Table]) -> str:
    runs = {table.name: json.loads((table.run / "run.json").read_text()) for table in tables}
    first = next(iter(runs.values()))
    model, made = first["model"], first["sessions"][-1]
    parts = [
        "# Zero-shot results",
        "",
        f"What `nano` does on five data sets without any fine-tuning, at sizes it was not trained at. It has "
        f"{model['parameters'] / 1e6:.1f} M parameters and was trained at {model['trained long side']} px; weights "
        f"`{model['sha256'][:12]}`. The figures say how the correction works on a small model, not how good SAM is.",
        "",
        "`make zero-shot` makes this page: it runs the commands below and takes every figure from their run folders. "
        f"Made {made['started'][:10]} on 2 cores of an AMD EPYC, no GPU, seed {first['settings']['seed']}, "
        f"torch {made['versions']['torch']}. "
        "To keep it within half an hour, some sets are a number of images evenly spaced over the split (`--limit`).",
        "",
        "*resize* is plain SAM on the photo squeezed to the trained size, *plain* is SAM at the size without correction, "
        "*decoder* with the mask decoder's attention to the image scaled by lambda and the encoder's left alone, "
        "*full* with the correction that the paper describes, `BiasMode(strength=1)`. "
        "In the plots *basam* is *decoder*. [Evaluation](../evaluation.md) explains prompts, metrics and their two "
        "conventions.",
    ]
    parts += ["", "## What the correction changes", ""]
    parts.append(
        "IoU is the mean over images (of the mean over their objects); the difference is paired by image, with its 95 % "
        "interval (`basam.lab.evaluation.paired`)."
    )
    parts.append("")
    parts += changes(tables, model["trained long side"])
    parts += ["", "The modes that the commands below name:", "", "```bash", f"mkdir -p {RUNS}"]
    parts += [f"echo '{json.dumps(mode)}' > {mode_file(name)}" for name, mode in MODES.items()]
    parts += ["```", ""]
    for table in tables:
        parts += section(table, runs[table.name])
    parts += [
        "",
        "## SAM ViT-B, ViT-L and ViT-H",
        "",
        "These need a download, so there are no figures of them here. The commands:",
        "",
    ]
    parts += [
        "```bash",
        *(f"basam {shlex.join(table.command_of_larger(model))}" for model in LARGER for table in tables),
        "```",
        "",
    ]
    return "\n".join(parts)


def section(table: Table, run: dict[str, Any]) -> list[str]:
    summary = json.loads((table.run / "summary.json").read_text())
    full = json.loads((table.run_of(FULL) / "summary.json").read_text())
    rows = [{**row, "method": DECODER if row["method"] == "basam" else row["method"]} for row in summary["rows"]]
    rows += [{**row, "method": FULL} for row in full["rows"]]
    rows.sort(key=lambda row: (row["prompt"], int(row["size"]), ("resize", "plain", DECODER, FULL).index(row["method"])))
    words = [f"basam {shlex.join(MAKE_SCENES)}"] if table.root == SCENES else []
    lines = ["", f"## {summary['data']}", "", f"{table.about} {summary['images']} images, {rows[0]['count']} objects.", ""]
    lines += ["```bash", *words, *(f"basam {shlex.join(table.command(name))}" for name in MODES), "```", ""]
    columns = [name for name in table.columns if any(row.get(name) is not None for row in rows)]
    lines += [
        "| prompt | method | size | " + " | ".join(COLUMNS[name].title for name in columns) + " |",
        "|" + "---|" * (3 + len(columns)),
    ]
    for row in rows:
        figures = [
            "-" if row.get(name) is None else f"{row[name]:.1f}" if name == "hce" else f"{row[name]:.3f}" for name in columns
        ]
        lines.append(f"| {row['prompt']} | {row['method']} | {row['size']} | {' | '.join(figures)} |")
    lines.append("")
    lines += [
        f"![{summary['data']}, {prompt}](images/zero-shot-{table.name}-{prompt}.png)"
        for prompt in dict.fromkeys(row["prompt"] for row in rows)
    ]
    return lines


def changes(tables: list[Table], trained_side: int) -> list[str]:
    """What the correction does to IoU beyond the trained size; computed, so that no text can be kinder than the figures."""
    lines = ["| data | prompt | size | images | plain | decoder - plain | 95 % | full - plain | 95 % |", "|" + "---|" * 9]
    verdicts: dict[str, list[int]] = {name: [] for name in MODES}
    for table in tables:
        plain = read(f"{table.run}:plain")
        corrected = {name: read(f"{table.run_of(name)}:basam") for name in MODES}
        for size, prompt in plain:
            if int(size) <= trained_side:
                continue
            before = plain[size, prompt]
            cells = [table.name, prompt, size, str(len(before)), f"{statistics.fmean(before.values()):.3f}"]
            for name, cell in corrected.items():
                difference, interval = paired(before, cell[size, prompt])
                assert interval is not None, "of several images"
                verdicts[name].append(0 if abs(difference) <= interval else 1 if difference > 0 else -1)
                cells += [f"{difference:+.4f}", f"±{interval:.4f}"]
            lines.append(f"| {' | '.join(cells)} |")
    sentences = [
        f"{SUBJECTS[name]} is better than plain SAM at the same size in {found.count(1)} of {len(found)} "
        f"comparisons, worse in {found.count(-1)}, and in {found.count(0)} the interval holds 0: these images cannot tell."
        for name, found in verdicts.items()
    ]
    return [" ".join([*sentences, "One in twenty intervals misses 0 by chance."]), "", *lines]


def copy_plots(table: Table) -> None:
    (DOCS / "images").mkdir(parents=True, exist_ok=True)
    for path in sorted((table.run / "plots").glob("metric-against-size_*.png")):
        prompt = path.stem.split("_", 1)[1]
        shutil.copyfile(path, DOCS / "images" / f"zero-shot-{table.name}-{prompt}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[table.name for table in TABLES], help="run these tables only")
    parser.add_argument("--page", action="store_true", help="run nothing")
    options = parser.parse_args()
    os.chdir(ROOT)
    for table in TABLES:
        if not options.page and (options.only is None or table.name in options.only):
            if table.root == SCENES:
                basam(MAKE_SCENES)
            for name, mode in MODES.items():
                RUNS.mkdir(parents=True, exist_ok=True)
                mode_file(name).write_text(json.dumps(mode) + "\n")
                basam(table.command(name))
    done = [table for table in TABLES if all((table.run_of(name) / "summary.json").is_file() for name in MODES)]
    for table in done:
        copy_plots(table)
    (DOCS / "zero-shot.md").write_text(page(done), encoding="utf-8")
    print(f"wrote {DOCS / 'zero-shot.md'} with {len(done)} of {len(TABLES)} tables")


if __name__ == "__main__":
    main()
