"""Photographs with masks for the small SAM that all tests share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """`train/images` with four photographs, `train/masks` beside it, and the same again as `test`."""
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        images, masks = tmp_path / split / "images", tmp_path / split / "masks"
        images.mkdir(parents=True)
        masks.mkdir()
        for number, (height, width) in enumerate(((48, 64), (64, 64), (40, 64), (64, 44))):
            Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(images / f"{number}.png")
            mask = np.zeros((height, width), dtype=np.uint8)
            mask[10:30, 12:40] = 255
            Image.fromarray(mask).save(masks / f"{number}.png")
    return tmp_path
