"""Paired difference of IoU between evaluation runs of the same images: what one mode brings over another.

    basam evaluate coco ROOT --split val2017 --sizes 512 --methods plain,basam --out A
    basam evaluate coco ROOT --split val2017 --sizes 512 --methods basam --mode mode.json --out B
    python -m studies.compare_runs A:basam B:basam

Prints, for every size and prompt, the mean IoU over images of both sides, the mean difference of the second and its 95 %
interval (1.96 standard errors of the paired differences).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path

Cells = dict[tuple[str, str], dict[str, float]]


def read(side: str) -> Cells:
    """IoU of every image, by (size, prompt), of `FOLDER:METHOD`."""
    folder, _, method = side.rpartition(":")
    cells: Cells = defaultdict(dict)
    for line in (Path(folder) / "per_image.jsonl").read_text().splitlines():
        record = json.loads(line)
        values = [instance["metrics"]["iou"] for instance in record.get("instances", [])]
        if record.get("method") == method and values:
            cells[str(record["size"]), record["prompt"]][record["sample"]] = statistics.fmean(values)
    if not cells:
        raise SystemExit(f"{folder} holds no records of the method {method!r}")
    return cells


def paired(first: dict[str, float], second: dict[str, float]) -> tuple[float, float]:
    """Mean difference of the second over the images that both hold, and half the width of its 95 % interval."""
    differences = [second[sample] - first[sample] for sample in sorted(first.keys() & second.keys())]
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
    return statistics.fmean(differences), 1.96 * error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", metavar="FOLDER:METHOD")
    parser.add_argument("second", metavar="FOLDER:METHOD")
    options = parser.parse_args()
    first, second = read(options.first), read(options.second)
    print("| size | prompt | images | first | second | difference | 95 % |")
    print("|---|---|---|---|---|---|---|")
    for key in sorted(first.keys() & second.keys(), key=lambda key: (len(key[0]), *key)):
        samples = sorted(first[key].keys() & second[key].keys())
        difference, interval = paired(first[key], second[key])
        means = [statistics.fmean(side[key][sample] for sample in samples) for side in (first, second)]
        print(
            f"| {key[0]} | {key[1]} | {len(samples)} | {means[0]:.3f} | {means[1]:.3f} | {difference:+.4f} | {interval:.4f} |"
        )


if __name__ == "__main__":
    main()
