"""One set of weights for four kinds of photographs: runs everything behind docs/results/generalised.md, and writes it.

    python -m studies.generalised                        # make scenes, tune, measure, write the page
    python -m studies.generalised --page                 # write the page from what has been run
    python -m studies.generalised --runs runs/mini --docs runs/mini --steps 4 --limit 2 --scenes 4    # does it run?

Every part resumes where it was stopped. Photographs are looked for in ../shared/data, camouflage is generated.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import statistics
from pathlib import Path
from typing import Any

from basam.lab.evaluation import paired
from studies.commands import basam
from studies.compare_runs import read
from studies.generalised_focus import FOCUS_RUNS, PROMPTS, Set, section, sets_with

ROOT = Path(__file__).parents[1]
GENERALIST = "generalist"
PUBLISHED = {"strength": 1.0}


class Study:
    """What is run, with which amounts, and where it lies."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.runs: Path = options.runs
        self.scenes = self.runs / "generated-COD10K"
        self.published = self.runs / "published.json"  # the mode of the base where it is corrected
        self.sets = sets_with(self.scenes)
        self.trained = summary_of(options.model)["trained long side"]
        self.train_sizes = f"{self.trained}-{2 * self.trained}"
        self.sizes = (2 * self.trained, 4 * self.trained)  # trained at, and not

    def scene_commands(self) -> list[list[str]]:
        """Scenes for training, validation (set aside of them) and test."""
        common = ["scenes", "--out", str(self.scenes), "--domain", "camouflage", "--size", str(self.sizes[0])]
        counts = {"train": 4 * self.options.scenes, "test": self.options.scenes}
        return [[*common, "--split", split, "--count", str(count)] for split, count in counts.items()]

    def tune_command(self, name: str, sets: tuple[Set, ...], way: str, steps: int) -> list[str]:
        data = [word for one in sets for word in ("--data", f"{one.named}{one.kind}:{one.root}")]
        return [
            *("tune", *data, "--model", self.options.model, "--tune", way, "--sizes", self.train_sizes),
            *("--steps", str(steps), "--batch-size", "4", "--validate-every", str(max(1, self.options.steps // 2))),
            *("--validate-count", str(self.options.validate), "--seed", "0", "--out", str(self.runs / name)),
        ]

    def tunings(self) -> dict[str, list[str]]:
        """By the name of the adapter: four specialists, one generalist, and the other ways on one data set."""
        steps, way = self.options.steps, self.options.way
        found = {one.name: self.tune_command(one.name, (one,), way, steps) for one in self.sets}
        found[GENERALIST] = self.tune_command(GENERALIST, self.sets, way, 3 * steps)
        lesions = self.sets[2]
        for other in ("bias", "decoder", "lora", "full"):
            if other != way:
                name = f"{lesions.name}-{other}"
                found[name] = self.tune_command(name, (lesions,), other, steps)
        return found

    def benchmark_command(self) -> list[str]:
        data = [word for one in self.sets for word in ("--data", f"{one.named}{one.kind}:{one.root}:{one.test}")]
        adapters = []
        for name in self.tunings():
            kinds = [one.kind for one in self.sets if name.split("-")[0] == one.name]
            adapters += ["--adapter", f"{name}={self.runs / name / 'adapter'}" + (f"@{kinds[0]}" if kinds else "")]
        return [
            *("benchmark", *data, "--model", self.options.model, *adapters),
            *("--mode", str(self.published), "--sizes", ",".join(map(str, self.sizes)), "--prompts", ",".join(PROMPTS)),
            *("--limit", str(self.options.limit), "--seed", "0", "--out", str(self.runs / "benchmark")),
        ]

    def measured(self, candidate: str, one: Set, method: str, size: int) -> dict[str, float]:
        """IoU of every image, the mean of both prompts."""
        cells = read(f"{self.runs / 'benchmark' / 'runs' / candidate / one.kind}:{method}")
        of_prompt = [cells[str(size), prompt] for prompt in PROMPTS]
        return {sample: statistics.fmean(cell[sample] for cell in of_prompt) for sample in of_prompt[0]}


def summary_of(model: str) -> dict[str, Any]:
    from basam.model import family_of_file, resolve

    path = resolve(model)
    return family_of_file(path).read(path).summary.to_dict()


def comparison(study: Study, title: str, pairs: list[tuple[str, Set, int, tuple[str, str], tuple[str, str]]]) -> list[str]:
    """Paired differences of IoU, second minus first; each side a candidate and a method."""
    lines = [f"### {title}", "", "| data | size | images | first | second | second - first | 95 % |", "|" + "---|" * 7]
    for name, one, size, first, second in pairs:
        before, after = (study.measured(candidate, one, method, size) for candidate, method in (first, second))
        difference, interval = paired(before, after)
        assert interval is not None, "of several images"
        means = [statistics.fmean(side.values()) for side in (before, after)]
        lines.append(
            f"| {name} | {size} | {len(before)} | {means[0]:.3f} | {means[1]:.3f} | {difference:+.4f} | ±{interval:.4f} |"
        )
    return [*lines, ""]


def verdicts(study: Study) -> list[str]:
    """The three aims, by the figures."""
    at, beyond = study.sizes
    pair: Any = paired
    differences = {
        one.name: {
            "specialist": pair(study.measured(one.name, one, "basam", at), study.measured(GENERALIST, one, "basam", at))[0],
            "zero-shot": pair(study.measured("zero-shot", one, "plain", at), study.measured(GENERALIST, one, "basam", at))[0],
            "uncorrected": pair(
                study.measured(GENERALIST, one, "plain", beyond), study.measured(GENERALIST, one, "basam", beyond)
            )[0],
        }
        for one in study.sets
    }

    def which(aim: str, least: float) -> str:
        good = [name for name, found in differences.items() if found[aim] >= least]
        return f"{len(good)} of {len(differences)}" + (f" ({', '.join(good)})" if 0 < len(good) < len(differences) else "")

    return [
        f"- The generalist is within 0.01 of IoU of the specialist, or above it, on {which('specialist', -0.01)}, at {at} px.",
        f"- It is above zero-shot (plain SAM) on {which('zero-shot', 1e-12)}, at {at} px.",
        f"- Corrected is above uncorrected at {beyond} px, a size that was not trained at, on {which('uncorrected', 1e-12)}.",
        "",
        "An aim that is missed by less than the interval beside it below is one that these images cannot decide.",
        "",
    ]


def page(study: Study) -> str:
    out = study.runs / "benchmark"
    table = (out / "benchmark.md").read_text(encoding="utf-8")
    run = json.loads((out / "runs" / "zero-shot" / study.sets[0].kind / "run.json").read_text())
    model, made = run["model"], run["sessions"][-1]
    at, beyond = study.sizes
    commands = [*study.scene_commands(), *study.tunings().values(), study.benchmark_command()]
    specialists = [
        (one.name, one, size, (one.name, "basam"), (GENERALIST, "basam")) for one in study.sets for size in study.sizes
    ]
    zero = [(one.name, one, size, ("zero-shot", "plain"), (GENERALIST, "basam")) for one in study.sets for size in study.sizes]
    correction = [
        (f"{one.name}, {candidate}", one, size, (candidate, "plain"), (candidate, "basam"))
        for candidate in ("zero-shot", GENERALIST)
        for one in study.sets
        for size in study.sizes
    ]
    ways = [
        (name, study.sets[2], size, ("zero-shot", "plain"), (name, "basam"))
        for name in study.tunings()
        if name.split("-")[0] == study.sets[2].name
        for size in study.sizes
    ]
    name = "nano" if study.options.model == "nano" else Path(study.options.model).name
    return "\n".join(
        [
            "# One model for four kinds of photographs",
            "",
            f"`{name}` ({model['parameters'] / 1e6:.1f} M parameters, trained at {model['trained long side']} px, weights "
            f"`{model['sha256'][:12]}`) tuned on salient objects, skin lesions, camouflaged and thin objects: one specialist "
            f"for each, and one generalist for all. Tuned at {study.train_sizes} px, measured at {at} and at {beyond} px, "
            "where it was never trained. The figures are those of a small model on few photographs; the procedure is that for "
            "any SAM ([fine-tuning](../fine-tuning.md)).",
            "",
            f"`make generalised` makes this page. Made {made['started'][:10]} on 2 cores of an AMD EPYC with other work "
            f"beside it (so minutes are rough), no GPU, seed 0, "
            f"torch {made['versions']['torch']}. Trained with `--tune {study.options.way}`, {study.options.steps} steps a "
            f"specialist and {3 * study.options.steps} for the generalist, of 4 photographs each; no photograph of a test "
            f"split was trained or chosen on. At most {study.options.limit} test images per set, evenly spaced. DIS5K and DUTS "
            "are **stand-ins** with the layout of these data sets, COD10K is **generated**: none of their images is in them.",
            "",
            "## Against the aims",
            "",
            *verdicts(study),
            "## The table",
            "",
            "*zero-shot* is the base as it is. *uncorrected* leaves out factor, mask and slopes; *corrected* is the "
            "published method for the base, and what was tuned with for an adapter. Specialists are measured on their own "
            "data.",
            "",
            table,
            "Where step 0 was kept, none after it was better on the photographs that were validated on: the adapter is the "
            "base with the published method.",
            "",
            "On lesions the red lines are the specialist and the three other ways of tuning.",
            "",
            *(f"![IoU against size, {prompt}](images/generalised-{prompt}.png)" for prompt in PROMPTS),
            "",
            "## Differences over both prompts",
            "",
            "IoU of each image, the mean of both prompts; the mean difference over images with its 95 % interval.",
            "",
            *comparison(study, "Specialist to generalist, both corrected", specialists),
            *comparison(study, "Zero-shot (plain SAM) to generalist, corrected", zero),
            *comparison(study, "Uncorrected to corrected", correction),
            *comparison(study, "Zero-shot (plain SAM) to the four ways, on lesions", ways),
            *section(study.options.focus_runs),
            "## Commands",
            "",
            "```bash",
            f"mkdir -p {study.runs}",
            f"echo '{json.dumps(PUBLISHED)}' > {study.published}",
            *(f"basam {shlex.join(words)}" for words in commands),
            "```",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/generalised"))
    parser.add_argument("--focus-runs", type=Path, default=FOCUS_RUNS, help="of studies.generalised_focus")
    parser.add_argument("--docs", type=Path, default=Path("docs/results"))
    parser.add_argument("--model", default="nano")
    parser.add_argument("--way", choices=["decoder", "lora", "full"], default="full")
    parser.add_argument("--steps", type=int, default=150, help="of a specialist; the generalist takes three times as many")
    parser.add_argument("--validate", type=int, default=6, help="photographs of each set to validate on")
    parser.add_argument("--limit", type=int, default=16, help="test images of each set")
    parser.add_argument("--scenes", type=int, default=16, help="generated test images; four times as many to train on")
    parser.add_argument("--page", action="store_true", help="run nothing")
    options = parser.parse_args()
    os.chdir(ROOT)
    study = Study(options)
    if not options.page:
        study.runs.mkdir(parents=True, exist_ok=True)
        study.published.write_text(json.dumps(PUBLISHED) + "\n", encoding="utf-8")
        for words in (*study.scene_commands(), *study.tunings().values(), study.benchmark_command()):
            basam(words)
    (options.docs / "images").mkdir(parents=True, exist_ok=True)
    for prompt in PROMPTS:
        plot = study.runs / "benchmark" / f"iou_{re.sub(r'[^a-z0-9]+', '-', prompt)}.png"
        shutil.copyfile(plot, options.docs / "images" / f"generalised-{prompt}.png")
    (options.docs / "generalised.md").write_text(page(study), encoding="utf-8")
    print(f"wrote {options.docs / 'generalised.md'}")


if __name__ == "__main__":
    main()
