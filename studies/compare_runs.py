"""Paired difference of IoU between evaluation runs of the same images: what one mode brings over another.

    basam evaluate coco ROOT --split val2017 --sizes 512 --methods plain,basam --out A
    basam evaluate coco ROOT --split val2017 --sizes 512 --methods basam --mode mode.json --out B
    python -m studies.compare_runs A:basam B:basam

Prints, for every size and prompt, the mean IoU over images of both sides, the mean difference of the second and its 95 %
interval (`basam.lab.evaluation.paired`).
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

from basam.lab.evaluation import Line, RunFolder, image_means, paired

Cells = dict[tuple[str, str], dict[str, float]]


def read(side: str) -> Cells:
    """IoU of every image, by (size, prompt), of `FOLDER:METHOD`."""
    folder, _, method = side.rpartition(":")
    lines: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for (_, size, made_by, prompt), line in RunFolder(Path(folder)).read().measured.items():
        if made_by == method:
            lines[str(size), prompt].append(line)
    cells = {key: found for key, of_cell in lines.items() if (found := image_means(of_cell, "iou"))}
    if not cells:
        raise SystemExit(f"{folder} holds no records of the method {method!r}")
    return cells


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
        difference, half = paired(first[key], second[key])
        interval = "-" if half is None else f"{half:.4f}"
        means = [statistics.fmean(side[key][sample] for sample in samples) for side in (first, second)]
        print(f"| {key[0]} | {key[1]} | {len(samples)} | {means[0]:.3f} | {means[1]:.3f} | {difference:+.4f} | {interval} |")


if __name__ == "__main__":
    main()
