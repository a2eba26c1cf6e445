"""Boxes of a detector as prompts: a results JSON in COCO's format, validated before anything is run on it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from basam.checks import is_number, path_of
from basam.errors import InputError
from basam.files import json_of
from basam.lab.data import CocoSample, Dataset, Prompt, load_annotations

NAME = "detector-box"  # in reports


@dataclass(frozen=True, eq=False)
class Detection:
    """One detected object: `box` (4,) x0, y0, x1, y1 inside the image; `order` is its place in the file."""

    box: np.ndarray
    score: float
    category_id: int
    order: int

    def prompt(self) -> Prompt:
        return Prompt(box=self.box)


@dataclass(frozen=True)
class Detections:
    """Detections by sample id, best first. `elsewhere` counts those on images that are not in the data set."""

    of_sample: dict[str, tuple[Detection, ...]] = field(default_factory=dict)
    elsewhere: int = 0


def read_detections(path: str | Path, dataset: Dataset) -> Detections:
    """Read `[{"image_id": 139, "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}, ...]`.

    Boxes are clipped to their images. Detections on other images are only counted, because a file for all of val2017 can be
    used for a part of it; a file without any detection on this data set is an error.

    Raises:
        ValueError: not a COCO data set, or an invalid entry; the message names the entry and the value.
    """
    path = path_of(path)
    if dataset.annotations is None:
        raise InputError(f"{dataset.title}: detections are prompts for COCO only, this data set is of kind {dataset.kind!r}")
    entries = json_of(path)
    if not isinstance(entries, list):
        raise InputError(f"{path}: a list of detections is needed, this is {_named(entries)}")
    categories = {category["id"] for category in load_annotations(dataset.annotations)["categories"]}
    samples = {sample.id: sample for sample in dataset}
    of_sample: dict[str, list[Detection]] = defaultdict(list)
    elsewhere = 0
    for order, entry in enumerate(entries):
        where = f"{path}: detection {order}"
        missing = [
            key for key in ("image_id", "category_id", "bbox", "score") if not isinstance(entry, dict) or key not in entry
        ]
        if missing:
            raise InputError(f"{where} has no {', '.join(missing)}")
        sample = samples.get(str(entry["image_id"]))
        if not isinstance(sample, CocoSample):
            elsewhere += 1
            continue
        if entry["category_id"] not in categories:
            raise InputError(f"{where}: category_id={entry['category_id']!r} is not in {dataset.annotations.name}")
        score = entry["score"]
        if not is_number(score) or not 0 <= score <= 1:
            raise InputError(f"{where}: score={score!r} must be a number from 0 to 1")
        box = _box(entry["bbox"], sample, where)
        of_sample[sample.id].append(Detection(box, float(score), int(entry["category_id"]), order))
    if not of_sample:
        raise InputError(f"{path}: none of its {len(entries)} detections is on an image of {dataset.title}")
    best_first = {id_: tuple(sorted(some, key=lambda one: (-one.score, one.order))) for id_, some in of_sample.items()}
    return Detections(best_first, elsewhere)


def _box(bbox: Any, sample: CocoSample, where: str) -> np.ndarray:
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(is_number(value) for value in bbox):
        raise InputError(f"{where}: bbox={bbox!r} must be four finite numbers x, y, width, height")
    x, y, width, height = bbox
    if width <= 0 or height <= 0:
        raise InputError(f"{where}: bbox={bbox!r} has no area; its last two numbers are width and height")
    limits = [sample.width, sample.height] * 2
    box = np.clip(np.array([x, y, x + width, y + height], dtype=np.float64), 0, limits)
    if box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(f"{where}: bbox={bbox!r} lies outside image {sample.id} of {sample.width} x {sample.height}")
    return box


def _named(value: Any) -> str:
    return f"an object with {', '.join(map(repr, list(value)[:5]))}" if isinstance(value, dict) else f"a {type(value).__name__}"
