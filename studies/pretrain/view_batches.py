"""Batches of prompted views, each a pure function of its number."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from basam.data import inscribed_centre
from basam.families import IMAGENET_MEAN, IMAGENET_STD
from basam.masks import tight_box
from studies.pretrain.model import SIZE
from studies.pretrain.sources import Source
from studies.pretrain.views import draw_view

# Height and width of a batch's views and how often: the long side is always the trained one.
SHAPES = ((SIZE, SIZE), (SIZE * 3 // 4, SIZE), (SIZE, SIZE * 3 // 4))
SHAPE_SHARES = (0.4, 0.4, 0.2)
# The kind of prompt, and whether three masks are answered; and how often.
KINDS = (("box", False), ("box", True), ("point", False), ("point", True))
KIND_SHARES = (0.48, 0.08, 0.24, 0.20)
# Every so many steps the answer is corrected by a click and decoded again.
REFINE_EVERY = 3


class PromptedViews:
    """`size` views a batch with `prompts` objects each, with prompts of one kind."""

    def __init__(self, sources: list[Source], size: int, prompts: int, seed: int) -> None:
        self.sources, self.size, self.prompts, self.seed = sources, size, prompts, seed

    def kind(self, step: int) -> tuple[tuple[int, int], tuple[str, bool], bool]:
        """Height and width, prompt and number of masks, and whether a correction follows."""
        generator = np.random.default_rng((self.seed, step))
        shape = SHAPES[generator.choice(len(SHAPES), p=SHAPE_SHARES)]
        return shape, KINDS[generator.choice(len(KINDS), p=KIND_SHARES)], step % REFINE_EVERY == 0

    def describe(self, step: int) -> str:
        return f"views {step * self.size} to {(step + 1) * self.size - 1} (seed {self.seed})"

    def make(self, step: int, part: int, parts: int) -> dict[str, Any]:
        """pixels `(B, 3, H, W)`, target `(B, P, H / 4, W / 4)` in 0..1, boxes `(B, P, 4)` or points `(B, P, 1, 2)`, chance
        `(B, P)` in 0..1 for the choice of corrections, and the kind of prompt."""
        (height, width), (kind, multimask), refine = self.kind(step)
        images, targets, prompts, chances = [], [], [], []
        for index in range(part, self.size, parts):
            generator = np.random.default_rng((self.seed, step, index))
            view = draw_view(self.sources, height, width, generator)
            masks = view.masks[generator.integers(0, len(view.masks), self.prompts)]
            images.append(view.image)
            targets.append(masks)
            prompts.append(np.stack([box(mask, generator) if kind == "box" else point(mask, generator) for mask in masks]))
            chances.append(generator.random(self.prompts))
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        pixels = (pixels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
        target = torch.from_numpy(np.stack(targets)).float()
        return {
            "pixels": pixels.contiguous(),
            "target": torch.nn.functional.avg_pool2d(target, 4),
            "kind": kind,
            "prompts": torch.from_numpy(np.stack(prompts)).float(),
            "chance": torch.from_numpy(np.stack(chances)).float(),
            "multimask": multimask,
            "refine": refine,
        }


def box(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The tight box, in four cases of ten with every side moved by a few percent."""
    corners = tight_box(mask)
    if generator.random() < 0.4:
        sides = np.tile(corners[2:] - corners[:2], 2)
        corners = corners + generator.normal(0, 0.05, 4) * np.minimum(sides, 100)
    return corners


def point(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One click: the middle of the object, or any pixel of it; `(1, 2)` x, y."""
    if generator.random() < 0.5:
        return inscribed_centre(mask)[None]
    pixels = np.flatnonzero(mask)
    row, column = divmod(int(pixels[generator.integers(len(pixels))]), mask.shape[1])
    return np.array([[column, row]])
