"""A scene as COCO's instance annotations."""

from __future__ import annotations

from typing import Any

import numpy as np

from basam.lab.scenes.canvas import Scene

# COCO's own ids; what COCO has no category for comes after its last id, 90
CATEGORIES = {
    "person": 1, "car": 3, "bird": 16, "cat": 17, "umbrella": 28, "sports ball": 37, "kite": 38, "bottle": 44,
    "cup": 47, "apple": 53, "chair": 62, "potted plant": 64, "book": 84,
}  # fmt: skip
MOST = 1000  # annotations of one image have the ids from seed * MOST + 1 on


def annotations_of(scene: Scene, seed: int) -> list[dict[str, Any]]:
    """One annotation for each instance, masks as uncompressed RLE (plain lists of run lengths, down the columns)."""
    result = []
    for number, (mask, name) in enumerate(zip(scene.masks, scene.names, strict=True), 1):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, left = int(rows[0]), int(columns[0])
        result.append(
            {
                "id": seed * MOST + number,
                "image_id": seed,
                "category_id": CATEGORIES[name],
                "iscrowd": 0,
                "area": int(mask.sum()),
                "bbox": [float(left), float(top), float(columns[-1] + 1 - left), float(rows[-1] + 1 - top)],
                "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
            }
        )
    return result


def run_lengths(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of 0 and 1 in turn, down the columns of a mask (height, width), starting with 0."""
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate(([0], ends, [flat.size]))).tolist()
    return [0, *lengths] if flat[0] else lengths
