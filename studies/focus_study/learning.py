"""Whether the choice among squares around a click can be learnt from training photographs, beside rules that need no learning.

Each click is answered on the whole photo and on six squares around it. From what is known of the seven answers without the
truth (predicted IoU, sides at which the mask is cut off, size of square and mask, agreement with the other answers) a ridge
regression predicts their IoU; the answer with the highest is taken. It is fitted on other data sets than the one it chooses on,
or on other photographs of all four.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam import Predictor
from basam.lab.data import PromptSpec, Sample, make_prompt, open_dataset
from basam.lab.evaluation import chosen, read_sample
from basam.lab.metrics import measure
from basam.predict import CLICK_SHARES, MOST_ENLARGED, Focus, edges_reached, region_around, sides_cut
from studies.focus_study.choosing import COUNT, GENERATED, PORTRAITS
from studies.focus_study.sets import DATA, RUNS

OUT = RUNS / "learned.jsonl"
MOST = 6  # clicks on one photograph
SETS = {
    "COCO train2017": ("coco", DATA / "COCO", "train2017"),
    "standin-DUTS DUTS-TR": ("duts", PORTRAITS, "DUTS-TR"),
    "generated-camouflage Train": ("cod10k", GENERATED["camouflage"], "Train"),
    "generated-lesions train": ("isic2017", GENERATED["lesion"], "train"),
}
RULES = {
    "rule zoom, margin 0.1, cut 0.4": Focus(click="zoom", margin=0.1, cut=0.4),
    "rule scales, margin 0.2, cut 0.4": Focus(click="scales", margin=0.2, cut=0.4),
}
FOLDS = 5
RIDGE = 1.0

TRAINED = 256  # pixels, nano's long side

Floats = NDArray[np.float64]


def learn() -> None:
    """Prediction the clicks of the photographs that are not in OUT yet."""
    known = {(row["data"], row["sample"]) for row in rows_of(OUT)}
    predictor = Predictor.from_pretrained("nano")
    for title, (kind, root, split) in SETS.items():
        for sample in chosen(list(open_dataset(kind, root, split)), COUNT):
            if (title, sample.id) not in known:
                clicks = list(answers(predictor, sample))
                with OUT.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"data": title, "sample": sample.id, "clicks": clicks}) + "\n")
        print(f"{title}: answered", flush=True)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def answers(predictor: Predictor, sample: Sample) -> Iterator[dict[str, Any]]:
    """Of each click: features and IoU of the answer on every square, and the IoU under each rule."""
    loaded, image = read_sample(sample)
    height, width = image.shape[:2]
    predictor.set_image(image, long_side=TRAINED)
    order = np.random.default_rng(0).permutation(len(loaded.instances))[:MOST]
    for instance in (loaded.instances[index] for index in sorted(order.tolist())):
        prompt = make_prompt(
            PromptSpec("gt-point"), instance.mask, seed=0, sample_id=sample.id, instance_id=instance.id, ignored=loaded.ignored
        ).arguments()

        def iou(focus: Any, prompt: dict[str, Any] = prompt, truth: NDArray[np.bool_] = instance.mask) -> tuple[Any, ...]:
            masks, scores, _ = predictor.predict(**prompt, multimask_output=False, focus=focus)
            found = measure(masks[0].astype(np.float32), truth, ["iou"], ignored=loaded.ignored)["iou"]
            return masks[0], float(scores[0]), found

        x, y = prompt["point_coords"][0]
        squares = []
        for share in CLICK_SHARES:
            quarter = share * max(height, width) / 4  # of a square that is twice the box around the click
            box = np.array([x - quarter, y - quarter, x + quarter, y + quarter])
            squares.append(region_around(box, 2.0, TRAINED / MOST_ENLARGED, height, width))
        masks, scores, ious = zip(*map(iou, squares), strict=True)
        inside = [mask[square.inside(height, width)] for mask, square in zip(masks, squares, strict=True)]
        cuts = [sides_cut(edges_reached(mask), square, height, width) for mask, square in zip(inside, squares, strict=True)]
        seen = np.array([mask.mean() for mask in inside])
        yield {
            "features": features(np.array(scores), np.array(cuts), seen, agreement(masks)).tolist(),
            "ious": ious,
            "rules": {name: iou(rule)[2] for name, rule in RULES.items()},
        }


def agreement(masks: tuple[NDArray[np.bool_], ...]) -> Floats:
    """IoU of every two masks, `(n, n)`; that of two empty ones is 0."""
    flat = np.stack([mask.ravel() for mask in masks]).astype(np.float32)
    shared = flat @ flat.T
    areas = np.diag(shared)
    return shared / np.maximum(areas[:, None] + areas[None] - shared, 1)


def features(scores: Floats, cuts: Floats, seen: Floats, agreements: Floats) -> Floats:
    """What is known without the truth of the answer on each square, `(n, 8)`."""
    sizes = np.log(np.array(CLICK_SHARES))
    others = (agreements.sum(1) - np.diag(agreements)) / (len(scores) - 1)
    padded = np.pad(agreements, 1)
    steps = np.arange(len(scores)) + 1
    beside = np.maximum(padded[steps, steps - 1], padded[steps, steps + 1])
    return np.stack([np.ones_like(sizes), scores, cuts, sizes, seen, others, beside, scores * sizes], axis=1)


def fitted(clicks: list[dict[str, Any]], weights: list[float]) -> Floats:
    """Coefficients of the regression of IoU on features that are brought to one scale; the constant is not held back."""
    x = np.concatenate([click["features"] for click in clicks])
    y = np.concatenate([click["ious"] for click in clicks])
    weight = np.repeat(weights, len(CLICK_SHARES))
    scale = np.maximum(np.sqrt(np.average(x**2, axis=0, weights=weight)), 1e-9)
    z = x / scale
    weighted = z * (weight / weight.sum())[:, None]
    held = RIDGE * np.eye(z.shape[1]) / len(z)
    held[0, 0] = 0
    return np.linalg.solve(weighted.T @ z + held, weighted.T @ y) / scale


def learned(rows: list[dict[str, Any]], groups: list[Any]) -> list[list[float]]:
    """IoU of the clicks of each row, the choice fitted on the rows of all other groups; every data set counts the same."""
    counts = {title: sum(len(row["clicks"]) for row in rows if row["data"] == title) for title in SETS}
    found = []
    for row, group in zip(rows, groups, strict=True):
        others = [one for one, other in zip(rows, groups, strict=True) if other != group]
        clicks = [click for one in others for click in one["clicks"]]
        weights = [1 / counts[one["data"]] for one in others for _ in one["clicks"]]
        chosen_by = fitted(clicks, weights)
        found.append([click["ious"][int(np.argmax(np.array(click["features"]) @ chosen_by))] for click in row["clicks"]])
    return found


def table() -> list[str]:
    """Mean IoU of each way to choose: by data set, and the mean of these."""
    rows = rows_of(OUT)
    ways = {
        "whole photo": [[click["ious"][0] for click in row["clicks"]] for row in rows],
        **{name: [[click["rules"][name] for click in row["clicks"]] for row in rows] for name in RULES},
        "learnt on the other three sets": learned(rows, [row["data"] for row in rows]),
        "learnt on other photographs of all four": learned(rows, [index % FOLDS for index in range(len(rows))]),
        "the best of the seven, by the truth": [[max(click["ious"]) for click in row["clicks"]] for row in rows],
    }
    counts = [sum(len(row["clicks"]) for row in rows if row["data"] == title) for title in SETS]
    heads = [f"{title} ({count})" for title, count in zip(SETS, counts, strict=True)]
    lines = ["| choice | " + " | ".join(heads) + " | mean |", "|" + "---|" * (2 + len(heads))]
    for name, ious in ways.items():
        means = [
            statistics.fmean(value for row, values in zip(rows, ious, strict=True) if row["data"] == title for value in values)
            for title in SETS
        ]
        lines.append("| " + " | ".join([name, *(f"{value:.3f}" for value in (*means, statistics.fmean(means)))]) + " |")
    return lines
