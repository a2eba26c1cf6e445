"""How nano's rule for regions was chosen: `basam calibrate --focus` on training photographs and on scenes to train on.

Only photographs that what ships may be made with: of the stand-in for DUTS those of people and of leaves, by a folder of links.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from studies.commands import basam
from studies.focus_study.sets import DATA, RUNS

OUT = RUNS / "mode.json"
PORTRAITS = RUNS / "training-DUTS"
COUNT = 40  # photographs of each data set at most
ALLOWED = ("person_", "leaf_")
GENERATED = {"camouflage": RUNS / "training-COD10K", "lesion": RUNS / "training-ISIC2017"}


def commands() -> list[list[str]]:
    """Scenes to choose on, and the choice."""
    scenes = [
        ["scenes", "--out", str(folder), "--domain", domain, "--split", "train", "--count", "24", "--size", "1024"]
        for domain, folder in GENERATED.items()
    ]
    also = [
        f"standin-DUTS=duts:{PORTRAITS}:DUTS-TR",
        f"generated-camouflage=cod10k:{GENERATED['camouflage']}:Train",
        f"generated-lesions=isic2017:{GENERATED['lesion']}:train",
    ]
    words = ["calibrate", "coco", str(DATA / "COCO"), "--split", "train2017", "--model", "nano", "--focus", "--larger"]
    words += [word for each in also for word in ("--also", each)]
    return [*scenes, [*words, "--count", str(COUNT), "--seed", "0", "--device", "cpu", "--out", str(OUT)]]


def links() -> list[str]:
    """Lines for a shell: a folder in the layout of DUTS with links to the photographs that may be chosen on."""
    lines = []
    for folder in ("DUTS-TR-Image", "DUTS-TR-Mask"):
        source, target = DATA / "standin-DUTS" / "DUTS-TR" / folder, PORTRAITS / "DUTS-TR" / folder
        files = " ".join(f'"$PWD"/{source}/{name}*' for name in ALLOWED)
        lines += [f"mkdir -p {target}", f"ln -sf {files} {target}"]
    return lines


def choose() -> None:
    for line in links():
        subprocess.run(line, shell=True, check=True)
    for words in commands():
        basam(words)


def table(path: Path) -> list[str]:
    """Every candidate by data set, with its paired difference to the whole photo and one standard error."""
    content = json.loads(path.read_text(encoding="utf-8"))
    found = content["found"]["focus"]
    counts = [f"{title} ({len(photos)})" for title, photos in found["photos"].items()]
    lines = ["| candidate | " + " | ".join(counts) + " | mean | minus whole | error |", "|" + "---|" * (4 + len(counts))]
    for row in found["candidates"]:
        numbers = [f"{value:.3f}" for value in (*row["by_data"].values(), row["mean"])]
        lines.append(f"| {row['focus']} | {' | '.join(numbers)} | {row['minus_whole']:+.3f} | {row['standard_error']:.3f} |")
    return lines
