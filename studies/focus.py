"""The tables of docs/results/focus.md: the region of each prompt beside the whole photo, on five data sets, and what it costs.

    python -m studies.focus                       # run what is missing, then write the page
    python -m studies.focus --page                # write the page from what has been run
    python -m studies.focus --only coco decision  # run these parts only
    python -m studies.focus --only choose         # choose nano's rule again, into runs/focus/mode.json
    python -m studies.focus --only learn          # whether the choice among squares can be learnt; after choose

Runs resume where they were stopped. Photographs are looked for in ../shared/data, generated scenes are made. The row without a
prompt needs the adapter that `python -m studies.generalised_focus` tunes, and is left out without it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import basam as package
from studies.commands import basam
from studies.focus_study import choosing, learning
from studies.focus_study.measuring import missing, read_lines, ways_of
from studies.focus_study.set_tables import section, sizes_of_whole, verdicts
from studies.focus_study.sets import CORRECTED, MAKE_SCENES, PARTS, PUBLISHED, RUNS, SCENES, SETS, Set
from studies.focus_study.situations import SITUATIONS
from studies.focus_study.tables import cells_of, decision_table, mosaic_tables, second_pass
from studies.generalised_focus import FOCUS_RUNS

ROOT = Path(__file__).parents[1]
PAGE = Path("docs/results/focus.md")
LINES = RUNS / "decision.jsonl"
ADAPTER = FOCUS_RUNS / "generalist" / "adapter"
OWN_MODE = Path(package.__file__).parent / "model" / "nano" / "mode.json"

# Written by a person who has read the tables.
SHORT = (
    "So `basam segment` encodes regions by default for boxes, on photos larger than trained: no set is worse beyond "
    "its interval, and small objects gain most (the smallest third of COCO's: 0.411 to 0.640). For clicks it does so with "
    "`--focus`: with the rule `zoom`, chosen on training photographs, no set is worse either, and COCO gains (its smallest "
    "third 0.057 to 0.236). With the `nano` of before 2026-11-27 the same sets were better and even.\n\n"
    "A box on a photo of 4288 x 2848 px, a lesion of ISIC 2017 (`python benchmarks/focus.py --repeats 1 --photo ... "
    "--box ...`), in seconds of processor time on both cores: `set_image` 0.32 and `predict` 0.45, together 0.76; "
    "`basam segment` with its mask and overlay 1.57, start-up apart. Where other work holds the cores, threads wait "
    "for each other, and `predict` was seen to take up to 2.4."
)
DECISION = (
    "Few images in each column. One prompt on a photo of 640 px: all ways are even in IoU; focus takes about the time of the "
    "whole photo at the trained size for a box, and twice that for a click. One box on a large photo, three of which the "
    "object fills, so that its region is the whole of it: the whole photo at its own size is better by 0.021, for ninety times "
    "the time, since 256 px are too few for the border of an object of a thousand (`--focus-side` gives it more). Many prompts "
    "on one photo of 640 px: once per region is better than encoding once at its own size, and even with the trained size. A "
    "larger field of view: focus or tiles, by far, for boxes and clicks; the whole photo encoded once at its own size, "
    "corrected or not, does not come near them, which refutes that encode-once wants it there. Without a prompt, by a "
    "generalist tuned for 120 steps ([generalised.md](generalised.md)): the region around what a first look finds and the "
    "whole photo at its own size are even, the first at a sixth of the time; tiles lose, since most of them do not show the "
    "object."
)
SECOND = "Nothing that these images can tell from nothing: it is not the default."
MOSAICS = (
    "The correction changes little (+0.007 at most), a region changes much. For clicks on 4 x 4 scenes, where a first look at "
    "the whole hardly sees the object, the rule `scales` and a tile around the click at the photo's own pixels come out above "
    "`zoom` (0.529 and 0.497 against 0.443), which 10 pictures cannot tell for certain; on 2 x 2 scenes `zoom` is even with "
    "`scales`. On photographs to choose on, the two are even within 0.003 (below), `zoom` in half of the looks; who has many "
    "small objects takes `click: scales`."
)
AUTO = (
    "Twice the trained side is better than the trained side on the mean of the sets, for boxes beyond its interval on the "
    "stand-in for DUTS and for clicks on that for DIS5K, and worse nowhere beyond it. Four times is worse and costs six times "
    "as much as twice: `auto` stays at four times the tokens."
)
CHOICE = (
    "The context is 2 by the rule: 1.5 is better by 0.003, less than a standard error. 384 px is better than the trained side "
    "by 0.015, costs 2.25 times as many tokens, and would no longer answer a photo of the trained size as the whole photo is "
    "answered, so regions keep the trained side (`--focus-side 384` has the other; on the sets above it gains on the stand-in "
    "for DUTS, 0.023, and elsewhere nothing that their images can tell). Rules for clicks were measured at 384 px, since the "
    "search continues from the best side, with the mask decoder scaled, which was the mode of `nano` then; they are used at "
    "the trained side. Of them `zoom` without a margin is the best, as the rule chose."
)

LEARNT = (
    "Not from these features: the regression is worse than both rules, whether fitted on other sets or on other photographs. "
    "What it cannot see, nano's own predicted IoU does not show either, while the best of the seven answers would be another "
    "0.06 better than any rule. A person sees it: `predict(..., focus=Region(left, top, side))` answers on the square one "
    "chooses."
)


def decide() -> None:
    """Measure what is missing of the decision table, each way in each situation in a process of its own."""
    for situation in SITUATIONS:
        adapter = ["--adapter", str(ADAPTER)] if situation.prompt == "none" else []
        if adapter and not ADAPTER.is_dir():
            print(f"{situation.title}: {ADAPTER} is not there, left out")
            continue
        for way in ways_of(situation):
            if missing(situation, way, read_lines(LINES)):
                words = ["-m", "studies.focus_study.measuring", situation.name, way, str(LINES), *adapter]
                print("python", shlex.join(words), flush=True)
                subprocess.run([sys.executable, *words], check=True)


def page(done: list[Set]) -> str:
    run = json.loads((done[0].run("region") / "run.json").read_text())
    made, model = run["sessions"][-1], run["model"]
    commands = [f"basam {shlex.join(MAKE_SCENES)}", f"echo '{json.dumps(PUBLISHED)}' > {CORRECTED[1]}"]
    commands += [*choosing.links(), *(f"basam {shlex.join(words)}" for words in choosing.commands())]
    commands += [
        f"basam {shlex.join(data.command(part))}"
        for data in done
        for part in PARTS
        if (data.run(part) / "summary.json").is_file()
    ]
    cells = cells_of(read_lines(LINES))
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
        "prompt. *corrected* is by the published method, `BiasMode()`. *Smallest third*: of the objects, by their share of the "
        "photo. Differences are paired by image, with half "
        "of their 95 % interval. *Encoding*: median seconds per image in the encoder, for all of its prompts together.",
        "",
        "## In short",
        "",
        "The region at the trained size beside the whole photo at the trained size, IoU:",
        "",
        *verdicts(done),
        "",
        SHORT,
        "",
        "## Which way for which task",
        "",
        "IoU, seconds of one core from the decoded photo to its masks (the median of images), and the largest memory of the "
        "process, libraries included. **Bold**: the best of its column, and what is even with it within the 95 % interval of "
        "the paired difference.",
        "",
        *decision_table(cells),
        "",
        DECISION,
        "",
        "Asked once more with its own mask as prompt, minus the first answer:",
        "",
        *second_pass(cells),
        "",
        SECOND,
        "",
        "## A larger field of view",
        "",
        "Generated scenes of 256 px side by side ([extrapolation](extrapolation.md)): objects keep their size, and there are "
        "more of them. This is the degradation that the correction is about.",
        *mosaic_tables(cells),
        "",
        MOSAICS,
        "",
        "## How large the whole photo",
        "",
        "Where no prompt says where to look, `--long-side auto` encodes the whole photo at up to four times the trained tokens "
        "(for a square, twice the trained side). IoU of the whole photo, plain, minus that at the trained size:",
        "",
        *sizes_of_whole(done),
        "",
        AUTO,
        "",
        "## What the rule was chosen on",
        "",
        "`basam calibrate --focus` on training photographs and on generated scenes to train on; no other figure of this page "
        "is of one of these. Mean IoU of each data set (photographs in brackets), the mean of these means, and its difference "
        "to the whole photo at the trained size with one standard error:",
        "",
        *choosing.table(OWN_MODE),
        "",
        CHOICE,
    ]
    if learning.OUT.is_file():
        lines += [
            "",
            "### Can the choice be learnt?",
            "",
            "Clicks on photographs of the same splits, up to six on each, answered on the whole photo and on six squares "
            "around them; a regression predicts the IoU of each answer from predicted IoU, sides cut off, sizes, and agreement "
            "with the other answers, and the best is taken. IoU:",
            "",
            *learning.table(),
            "",
            LEARNT,
        ]
    for data in done:
        lines += section(data)
    return "\n".join(
        [*lines, "", "## Commands", "", "```bash", *commands, "python -m studies.focus --only decision", "```", ""]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="run nothing")
    parts = [*(data.name for data in SETS), "decision", "choose", "learn"]
    parser.add_argument("--only", nargs="+", choices=parts, help="run these parts only; by default all but the last two")
    options = parser.parse_args()
    os.chdir(ROOT)
    RUNS.mkdir(parents=True, exist_ok=True)
    Path(CORRECTED[1]).write_text(json.dumps(PUBLISHED) + "\n", encoding="utf-8")
    wanted = [] if options.page else options.only or parts[:-2]
    if "choose" in wanted:
        choosing.choose()
    if "learn" in wanted:
        learning.learn()
    for part in PARTS:
        for data in SETS:
            if data.name in wanted:
                if data.root == SCENES:
                    basam(MAKE_SCENES)
                basam(data.command(part))
    if "decision" in wanted:
        decide()
    done = [data for data in SETS if (data.run("larger") / "summary.json").is_file()]
    if done:
        PAGE.write_text(page(done), encoding="utf-8")
    print(f"{PAGE}: {len(done)} of {len(SETS)} sets")


if __name__ == "__main__":
    main()
