"""Data sets in miniature, written as the published ones lay themselves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


class Writer:
    """Writes small images and masks below one root; 12 x 8 pixels by default."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def image(self, path: str, size: tuple[int, int] = (12, 8), orientation: int | None = None) -> Path:
        target = self._target(path)
        picture = Image.fromarray(np.full((size[1], size[0], 3), 90, dtype=np.uint8))
        exif = Image.Exif()
        if orientation is not None:
            exif[0x0112] = orientation
        picture.save(target, exif=exif)
        return target

    def mask(self, path: str, values: np.ndarray | None = None) -> Path:
        target = self._target(path)
        if values is None:
            values = np.zeros((8, 12), dtype=np.uint8)
            values[2:5, 3:9] = 255
        Image.fromarray(values).save(target)
        return target

    def pair(self, image: str, mask: str) -> None:
        self.image(image)
        self.mask(mask)

    def text(self, path: str, content: str = "") -> Path:
        target = self._target(path)
        target.write_text(content)
        return target

    def json(self, path: str, content: Any) -> Path:
        return self.text(path, json.dumps(content))

    def _target(self, path: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "root")


class Coco:
    """A COCO annotation file in the making: images of 12 x 8, objects given as anything COCO allows."""

    def __init__(self, write: Writer, split: str = "val2017") -> None:
        self.write, self.split = write, split
        self.content: dict[str, list[dict[str, Any]]] = {
            "images": [],
            "annotations": [],
            "categories": [{"id": 7, "name": "cat"}],
        }

    def add_image(self, number: int, on_disk: bool = True) -> None:
        name = f"{number:012d}.jpg"
        self.content["images"].append({"id": number, "file_name": name, "width": 12, "height": 8})
        if on_disk:
            self.write.image(f"{self.split}/{name}")

    def add(self, number: int, image: int, segmentation: Any, **more: Any) -> None:
        entry = {"id": number, "image_id": image, "category_id": 7, "segmentation": segmentation, "iscrowd": 0, "area": 18}
        self.content["annotations"].append(entry | more)

    def save(self) -> Path:
        self.write.json(f"annotations/instances_{self.split}.json", self.content)
        return self.write.root


@pytest.fixture
def coco(write: Writer) -> Coco:
    return Coco(write)
