"""COCO's mask AP by `faster_coco_eval`, the same figures as `pycocotools` gives.

AP ranks masks by a score (SAM's predicted IoU) within a category. With ground-truth prompts the category is that of the
prompted instance, so the figure measures masks and their ranking, not detection.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from basam.checks import is_number
from basam.errors import InputError
from basam.files import require
from basam.lab.data import SampleError, annotation_mask, fault_of, is_crowd, load_annotations, usable_annotations
from basam.masks import encode_mask

# Places of the figures in the library's list of statistics.
_FIGURES = {"ap": 0, "ap50": 1, "ap75": 2, "ap_small": 3, "ap_medium": 4, "ap_large": 5}


def coco_ap(
    annotations: Path,
    results: Iterable[dict[str, Any]],
    image_ids: Iterable[int] | None = None,
    crowds_are_objects: bool = False,
) -> dict[str, float]:
    """AP, AP50, AP75 and AP of small, medium and large objects; NaN for a size that no object has.

    Args:
        annotations: `instances_*.json` (`Dataset.annotations`). Its crowds take no part but excuse masks on them, as COCO
            does it.
        results: in COCO's format of results, each with its `order`, which decides between masks of one image with equal scores:
            the annotation's id or the detection's place in its file.
        image_ids: images that were evaluated (`int(sample.id)`); None for all in the file. Objects on others are not missed.
        crowds_are_objects: `Dataset.crowds_are_objects`.

    Raises:
        DatasetError: the file is no instance annotations.
        ValueError: a result is of an image that is not among these.
    """
    data = load_annotations(annotations)
    evaluated = {image["id"] for image in data["images"]} if image_ids is None else set(image_ids)
    results = [dict(result) for result in results]  # the library adds to them
    for result in results:
        if result["image_id"] not in evaluated:
            raise InputError(f"a result is of image {result['image_id']}, which is not among the {len(evaluated)} evaluated")
    results.sort(key=lambda result: (result["image_id"], result["order"]))
    library = require("faster_coco_eval", "evaluate")
    truth = library.COCO(_evaluated_part(data, evaluated, Path(annotations).name, crowds_are_objects))
    evaluator = library.COCOeval_faster(truth, truth.loadRes(results), iouType="segm", print_function=_quiet)
    evaluator.run()
    return {name: _figure(evaluator.stats[place]) for name, place in _FIGURES.items()}


def _evaluated_part(data: dict[str, Any], evaluated: set[int], source: str, crowds_are_objects: bool) -> dict[str, Any]:
    """Images that were evaluated and the objects the reader uses, numbered from 1: matching takes 0 for "no match"."""
    of_image, crowds, _ = usable_annotations(data, source, crowds_are_objects)
    images = {
        image["id"]: {"id": image["id"], "height": int(image["height"]), "width": int(image["width"])}
        for image in data["images"]
        if image["id"] in evaluated and fault_of(image) is None
    }
    annotations: list[dict[str, Any]] = []
    for annotation in (*chain.from_iterable(of_image.values()), *crowds):
        image = images.get(annotation["image_id"])
        if image is not None:
            try:
                mask = annotation_mask(annotation, image["height"], image["width"], source)
            except SampleError:
                continue  # the reader has reported it
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": annotation["image_id"],
                    "category_id": annotation["category_id"],
                    "segmentation": encode_mask(mask),
                    "iscrowd": int(not crowds_are_objects and bool(is_crowd(annotation))),
                    "area": _area(annotation, mask),
                    "bbox": [0, 0, 0, 0],
                }
            )
    return {"images": list(images.values()), "annotations": annotations, "categories": data["categories"]}


def _area(annotation: dict[str, Any], mask: np.ndarray) -> float:
    """The area that the file gives, by which COCO separates small objects from large ones; else that of the mask."""
    area = annotation.get("area")
    return float(area) if is_number(area) and area >= 0 else int(mask.sum())


def _figure(value: float) -> float:
    return float("nan") if value < 0 else float(value)


def _quiet(*_: object) -> None:
    """The library prints its own table."""
