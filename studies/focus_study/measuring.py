"""One way in one situation, in a process of its own: IoU, processor time and peak memory of every image, as lines of JSON.

    python -m studies.focus_study.measuring SITUATION WAY LINES [--adapter FOLDER]

Seconds are processor time from the decoded photograph to its masks, on one thread: reading the file and start-up are apart.
Memory is the largest resident size of the process until then, libraries, weights, photograph and ground truth included.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from pathlib import Path
from typing import Any

from basam.files import append_json, read_json_lines
from studies.focus_study.situations import SITUATIONS, Situation
from studies.focus_study.ways import OF_BOXES, OF_CLICKS, WAYS, Way

Line = dict[str, Any]


def ways_of(situation: Situation) -> dict[str, Way]:
    found = dict(WAYS)
    if situation.prompt == "gt-box":
        found |= OF_BOXES
    if situation.prompt == "gt-point":
        found |= OF_CLICKS
    return found


def read_lines(path: Path) -> list[Line]:
    return [line.value for line in read_json_lines(path)]


def missing(situation: Situation, way: str, lines: list[Line]) -> set[str]:
    """Images that are still to be measured."""
    done = {line["sample"] for line in lines if (line["situation"], line["way"]) == (situation.name, way)}
    return set(situation.samples()) - done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("situation", choices=[one.name for one in SITUATIONS])
    parser.add_argument("way")
    parser.add_argument("lines", type=Path)
    parser.add_argument("--adapter", type=Path)
    options = parser.parse_args()
    import torch

    import basam
    from basam.lab.metrics import measure

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # photographs of more than 4096 px are reduced to that
    situation = next(one for one in SITUATIONS if one.name == options.situation)
    way = ways_of(situation)[options.way]
    for task in situation.tasks(missing(situation, options.way, read_lines(options.lines))):
        predictor = basam.Predictor.from_pretrained("nano", adapter=options.adapter)
        start = time.process_time()
        masks = list(way(predictor, task))
        seconds = time.process_time() - start
        ious = [measure(mask.astype("float32"), truth, ["iou"])["iou"] for mask, truth in zip(masks, task.truths, strict=True)]
        append_json(
            options.lines,
            {
                "situation": situation.name,
                "way": options.way,
                "sample": task.sample,
                "size": list(task.image.shape[1::-1]),
                "ious": ious,
                "seconds": round(seconds, 3),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            },
        )
        print(json.dumps([situation.name, options.way, task.sample]), flush=True)


if __name__ == "__main__":
    main()
