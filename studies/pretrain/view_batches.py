"""Batches of prompted views, each a pure function of its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import get_worker_info

from basam.lab.data import inscribed_centre
from basam.masks import tight_box
from studies.pretrain.model import SIZE
from studies.pretrain.sources import Source, single_threaded_cv2
from studies.pretrain.views import draw_view

# Height and width of a batch's views and how often: the long side is always the trained one.
SHAPES = ((SIZE, SIZE), (SIZE * 3 // 4, SIZE), (SIZE, SIZE * 3 // 4))
SHAPE_SHARES = (0.4, 0.4, 0.2)
# The kinds of prompt that a batch is asked with, their weight in the loss, and how often each is answered with three masks.
KINDS = ("box", "point")
WEIGHTS = {"box": 0.55, "point": 0.45}
MULTIMASK_SHARES = {"box": 0.15, "point": 0.45}
# Every so many steps the answers of one kind are corrected by a click and decoded again.
REFINE_EVERY = 3


class Plan(NamedTuple):
    """What a batch consists of: height and width of its views, which kinds get three masks, which kind is corrected."""

    shape: tuple[int, int]
    multimask: dict[str, bool]
    refine: str | None


class PromptedViews:
    """`size` views a batch, each with `prompts` boxes and as many clicks: encoding a view costs more than asking for it.

    Attributes:
        sources: what views are drawn from; given once the pictures are there.
        distinct: only so many different views, squares with the same prompts, are shown over and over: what the architecture
            can learn by heart. None: every view is a new one.
    """

    def __init__(self, size: int, prompts: int, seed: int, distinct: int | None = None, sources: Sequence[Source] = ()) -> None:
        self.size, self.prompts, self.seed, self.distinct, self.sources = size, prompts, seed, distinct, list(sources)

    def plan(self, step: int) -> Plan:
        generator = np.random.default_rng((self.seed, step))
        shape = SHAPES[generator.choice(len(SHAPES), p=SHAPE_SHARES)] if self.distinct is None else SHAPES[0]
        multimask = {kind: bool(generator.random() < MULTIMASK_SHARES[kind]) for kind in KINDS}
        corrected = KINDS[generator.integers(len(KINDS))]
        return Plan(shape, multimask, None if step % REFINE_EVERY else corrected)

    def describe(self, step: int) -> str:
        return f"views {step * self.size} to {(step + 1) * self.size - 1} (seed {self.seed})"

    def make(self, step: int, part: int, parts: int) -> dict[str, Any]:
        """pixels `(B, 3, H, W)` uint8 and, under `asked`, for each kind of prompt a dict: kind, weight, multimask, refine,
        prompts (boxes `(B, P, 4)` or points `(B, P, 1, 2)`), cells `(B, P, H / 4, W / 4)` uint8 (how many of a cell's 16 pixels
        the object covers), chance `(B, P)` in 0..1 for the choice of corrections."""
        (height, width), multimask, refine = self.plan(step)
        images: list[np.ndarray] = []
        made: dict[str, dict[str, list[np.ndarray]]] = {kind: {"prompts": [], "cells": [], "chance": []} for kind in KINDS}
        if get_worker_info() is not None:
            single_threaded_cv2()
        for index in range(part, self.size, parts):
            number = (step, index) if self.distinct is None else ((step * self.size + index) % self.distinct,)
            generator = np.random.default_rng((self.seed, *number))
            view = draw_view(self.sources, height, width, generator)
            images.append(view.image.transpose(2, 0, 1))
            cells = covered_cells(view.masks)
            for kind, lists in made.items():
                chosen = generator.integers(0, len(view.masks), self.prompts)
                draw = box if kind == "box" else point
                lists["prompts"].append(np.stack([draw(view.masks[each], generator) for each in chosen]).astype(np.float32))
                lists["cells"].append(cells[chosen])
                lists["chance"].append(generator.random(self.prompts, np.float32))
        asked = [
            {name: torch.from_numpy(np.stack(each)) for name, each in lists.items()}
            | {"kind": kind, "weight": WEIGHTS[kind], "multimask": multimask[kind], "refine": kind == refine}
            for kind, lists in made.items()
        ]
        return {"pixels": torch.from_numpy(np.stack(images)), "asked": asked}


def covered_cells(masks: np.ndarray) -> np.ndarray:
    """How many of the 16 pixels of each cell of 4 x 4 a mask covers: `(n, H, W)` bool to `(n, H / 4, W / 4)` uint8."""
    number, height, width = masks.shape
    rows = masks.view(np.uint8).reshape(number, height // 4, 4, width)
    sums = rows[:, :, 0] + rows[:, :, 1] + rows[:, :, 2] + rows[:, :, 3]
    sums = sums.reshape(number, height // 4, width // 4, 4)
    cells: np.ndarray = sums[..., 0] + sums[..., 1] + sums[..., 2] + sums[..., 3]
    return cells


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
