"""A small data set on disk, and the command line that evaluates a model on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_pairs(root: Path, count: int) -> Path:
    """Photographs of noise with a brighter rectangle, and its mask, in the layout of kind `folder`."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        height, width = (48, 80) if number % 2 else (72, 56)
        mask = np.zeros((height, width), dtype=bool)
        top, left = generator.integers(4, 20, 2)
        mask[top : top + 16, left : left + 24] = True
        image = generator.integers(0, 120, (height, width, 3), dtype=np.uint8)
        image[mask] += 100
        Image.fromarray(image).save(root / "images" / f"photo{number:02d}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / "masks" / f"photo{number:02d}.png")
    return root


def words(root: Path, model: Path, out: Path, *more: str) -> list[str]:
    """The command line of `evaluate` of everything below."""
    command = ["evaluate", "folder", str(root), "--model", str(model), "--sizes", "64,96"]
    return [*command, "--prompts", "random-point", "--metrics", "iou,mae,f_measure", "--out", str(out), *more]
