"""The part of docs/results/generalised.md about focus: tuned on whole photographs and on regions, measured with focus or not.

    python -m studies.generalised_focus            # tune, measure, put the section into the page
    python -m studies.generalised_focus --page     # put the section into the page from what has been run

Fewer steps and images than `studies.generalised`, so that it takes half an hour of two cores. Runs resume.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
from dataclasses import dataclass
from pathlib import Path

from basam.lab.evaluation import paired
from studies.commands import basam
from studies.compare_runs import read

ROOT = Path(__file__).parents[1]
DATA = Path("../shared/data")
FOCUS_RUNS = Path("runs/generalised-focus")
PAGE = Path("docs/results/generalised.md")
PROMPTS = ("gt-box", "gt-point")
WAYS = ("full", "lora", "decoder", "bias")
FOCUSED = "-focus"  # after the name of an adapter that was tuned on regions
TRAINED = 256  # pixels, nano's long side
STEPS, LIMIT = 40, 10
# Written by a person who has read the table.
FOUND = (
    "Beside tuning on whole photographs, thin and salient objects lose beyond their interval. Most of these fill their "
    "photograph, so that their region is the whole photograph, at 256 px instead of 512: focus only takes pixels away there, "
    "tuned or not. Lesions gain 0.020, which is a gain of the size and none of tuning: the trained size is better than 512 px "
    "before any tuning ([focus.md](focus.md#isic2017)), and 40 steps leave it as it is. Beside no tuning, the generalist gains "
    "on thin objects and loses on camouflage, and nothing else can be told from nothing. So tune with `--focus` where objects "
    "are small in their photographs, and on whole photographs otherwise; and measure both."
)
BEGIN, END = "<!-- begin focus -->", "<!-- end focus -->"


@dataclass(frozen=True)
class Set:
    """One of the four data sets."""

    name: str
    kind: str
    root: Path
    test: str

    @property
    def named(self) -> str:
        """`NAME=` in front of data that is no published data set, although it has the layout of one."""
        return f"{self.root.name}=" if self.root.name.startswith("standin-") else ""


def sets_with(scenes: Path) -> tuple[Set, ...]:
    """The four data sets; `scenes` is where camouflage is generated."""
    return (
        Set("thin", "dis5k", DATA / "standin-DIS5K", "DIS-TE"),
        Set("salient", "duts", DATA / "standin-DUTS", "DUTS-TE"),
        Set("lesions", "isic2017", DATA / "ISIC2017", "test"),
        Set("camouflage", "cod10k", scenes, "Test"),
    )


def scene_commands(runs: Path) -> list[list[str]]:
    common = ["scenes", "--out", str(runs / "generated-COD10K"), "--domain", "camouflage", "--size", str(2 * TRAINED)]
    return [[*common, "--split", split, "--count", count] for split, count in (("train", "64"), ("test", "16"))]


def tunings(runs: Path) -> dict[str, list[str]]:
    """By the name of the adapter: a generalist, and every way on lesions; each on whole photographs, then on regions."""
    every = sets_with(runs / "generated-COD10K")
    plans = {"generalist": (every, "full", 3 * STEPS)} | {f"lesions-{way}": (every[2:3], way, STEPS) for way in WAYS}
    found = {}
    for end, seen in (("", ["--sizes", f"{TRAINED}-{2 * TRAINED}"]), (FOCUSED, ["--focus"])):
        for name, (sets, way, steps) in plans.items():
            data = [word for one in sets for word in ("--data", f"{one.named}{one.kind}:{one.root}")]
            words = ["tune", *data, "--model", "nano", "--tune", way, *seen, "--steps", str(steps), "--batch-size", "4"]
            words += ["--validate-every", str(STEPS), "--validate-count", "4", "--seed", "0"]
            found[name + end] = [*words, "--out", str(runs / (name + end))]
    return found


def benchmark_command(runs: Path) -> list[str]:
    sets = sets_with(runs / "generated-COD10K")
    words = ["benchmark", *(word for one in sets for word in ("--data", f"{one.named}{one.kind}:{one.root}:{one.test}"))]
    for name in tunings(runs):
        only = "@isic2017" if name.startswith("lesions") else ""
        words += ["--adapter", f"{name}={runs / name / 'adapter'}{only}"]
    words += ["--model", "nano", "--sizes", str(2 * TRAINED), "--focus", "--prompts", ",".join(PROMPTS)]
    return [*words, "--limit", str(LIMIT), "--seed", "0", "--out", str(runs / "benchmark")]


def measured(runs: Path, candidate: str, kind: str, focus: bool) -> dict[str, float]:
    """IoU of every image, the mean of both prompts, of whole photographs (corrected) or of regions."""
    end, method, size = (FOCUSED, "focus", TRAINED) if focus else ("", "basam", 2 * TRAINED)
    cells = read(f"{runs / 'benchmark' / 'runs' / candidate / (kind + end)}:{method}")
    of_prompt = [cells[str(size), prompt] for prompt in PROMPTS]
    return {sample: statistics.fmean(cell[sample] for cell in of_prompt) for sample in of_prompt[0]}


def table(runs: Path) -> list[str]:
    """One row for each pair of adapters of the same data and way, of which the second was tuned on regions."""
    sets = sets_with(runs / "generated-COD10K")
    rows = [(f"{one.name}, generalist", one, "generalist") for one in sets]
    rows += [(f"lesions, {way}", sets[2], f"lesions-{way}") for way in WAYS]
    lines = [
        "| data, adapter | base, whole | base, focus | tuned whole, whole | tuned whole, focus "
        "| **tuned and measured with focus** | minus tuned whole, whole | 95 % | minus base, focus | 95 % |",
        "|" + "---|" * 10,
    ]
    for title, one, name in rows:
        if not all((runs / "benchmark" / "runs" / each / one.kind).is_dir() for each in (name, name + FOCUSED)):
            continue  # of a run that is not done
        cells = [measured(runs, "zero-shot", one.kind, focus) for focus in (False, True)]
        cells += [measured(runs, name, one.kind, focus) for focus in (False, True)]
        cells.append(measured(runs, name + FOCUSED, one.kind, True))
        row = [title, *(f"{statistics.fmean(cell.values()):.3f}" for cell in cells)]
        for other in (cells[2], cells[1]):
            difference, interval = paired(other, cells[-1])
            assert interval is not None, "of several images"
            row += [f"{difference:+.3f}", f"±{interval:.3f}"]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def section(runs: Path) -> list[str]:
    """The part of the page, between its marks; only these where nothing has been run."""
    if not (runs / "benchmark" / "benchmark.json").is_file():
        return [BEGIN, END, "", ""]
    run = json.loads((runs / "benchmark" / "runs" / "zero-shot" / "duts" / "run.json").read_text())
    made = run["sessions"][-1]
    commands = [*scene_commands(runs), *tunings(runs).values(), benchmark_command(runs)]
    return [
        BEGIN,
        "## Tuned and measured with focus",
        "",
        f"`basam tune --focus` trains on the regions around prompts, of {TRAINED} px, with jittered context; with focus, "
        f"a prompt is answered on its region of {TRAINED} px. *Whole*: tuned at {TRAINED}-{2 * TRAINED} px, measured at "
        f"{2 * TRAINED} px, corrected. IoU, the mean of a box and a click; paired differences of the last column with half of "
        "their 95 % interval over images.",
        "",
        f"Made by `python -m studies.generalised_focus` on {made['started'][:10]}, 2 cores of an AMD EPYC with other work "
        f"beside it, no GPU, seed 0, torch {made['versions']['torch']}: {3 * STEPS} steps for the generalist and {STEPS} for "
        f"each way on lesions, of 4 photographs each, {LIMIT} test images per set, evenly spaced. These are fewer steps than "
        "in the tables above, so figures of the two parts do not compare.",
        "",
        *table(runs),
        "",
        FOUND,
        "",
        "```bash",
        *(f"basam {shlex.join(words)}" for words in commands),
        "```",
        "",
        END,
        "",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=FOCUS_RUNS)
    parser.add_argument("--page", action="store_true", help="run nothing")
    options = parser.parse_args()
    os.chdir(ROOT)
    if not options.page:
        for words in (*scene_commands(options.runs), *tunings(options.runs).values(), benchmark_command(options.runs)):
            basam(words)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + "\n".join(section(options.runs)) + rest.partition(END)[2].lstrip("\n"), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
