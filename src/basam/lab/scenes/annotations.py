"""A scene as COCO's instance annotations."""

from __future__ import annotations

from typing import Any

from basam.lab.scenes.canvas import Scene
from basam.masks import RunMask

# COCO's own ids; what COCO has no category for comes after its last id, 90
CATEGORIES = {
    "person": 1, "car": 3, "bird": 16, "cat": 17, "umbrella": 28, "sports ball": 37, "kite": 38, "bottle": 44,
    "cup": 47, "apple": 53, "chair": 62, "potted plant": 64, "book": 84,
}  # fmt: skip
MOST = 1000  # annotations of one image have the ids from seed * MOST + 1 on


def annotations_of(scene: Scene, seed: int) -> list[dict[str, Any]]:
    """One annotation per instance, masks as uncompressed RLE (plain lists of run lengths, down the columns)."""
    result = []
    for number, (mask, name) in enumerate(zip(scene.masks, scene.names, strict=True), 1):
        runs = RunMask.of(mask)
        left, top, right, bottom = map(float, runs.box)
        result.append(
            {
                "id": seed * MOST + number,
                "image_id": seed,
                "category_id": CATEGORIES[name],
                "iscrowd": 0,
                "area": runs.area,
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": runs.uncompressed(),
            }
        )
    return result
