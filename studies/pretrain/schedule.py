"""Warm-up, stable, decay: a training that may be extended, and ended from any point.

The learning rate rises, stays at its peak and falls over the last steps ("WSD"; Hu et al., "MiniCPM", 2024; the square
root by which it falls: Hägele et al., "Scaling laws and compute-optimal training beyond fixed training durations", 2024).
The decay has a folder and a checkpoint of its own, so that the run itself stays at its peak rate and can continue from there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from basam.lab.tuning import Trainer, TrainingError

CHECKPOINT_SECONDS = 600


def decayed_share(step: int, first: int, steps: int, floor: float = 0.01) -> float:
    """Share of the peak rate at a step counted from 0: 1 before step `first`, then falling towards `floor` at `steps`."""
    if step < first:
        return 1.0
    return 1 - (1 - floor) * math.sqrt((step - first + 1) / (steps - first))


class StableThenDecay(Trainer):
    """A `Trainer` whose plan has a constant rate (`floor=1`), which falls over the last `decay` steps.

    Checkpoints of the stable part are in `folder`, those of the decay in `folder/decay-FIRST-STEPS`. A checkpoint is
    written at least every ten minutes, however slow the steps are.

    Raises:
        TrainingError: the run in `folder` is already beyond the step at which the decay begins.
    """

    def __init__(self, *arguments: Any, decay: int, **options: Any) -> None:
        self.decay = decay
        self.saved = time.monotonic()
        super().__init__(*arguments, **options)

    @property
    def first(self) -> int:
        """The first step of the decay."""
        return max(0, self.plan.steps - self.decay)

    @property
    def decay_folder(self) -> Path:
        return self.folder / f"decay-{self.first}-{self.plan.steps}"

    def resume(self) -> None:
        if any(self.decay_folder.glob("checkpoint.pt")):
            self.folder = self.decay_folder
        super().resume()
        if self.folder.name.startswith("decay-") or self.done <= self.first:
            return
        raise TrainingError(
            f"{self.folder} has {self.done} steps at the full rate already: with a decay of {self.decay} steps, "
            f"at least {self.done + self.decay} steps are needed in all"
        )

    def save(self) -> None:
        super().save()
        self.saved = time.monotonic()

    def step(self, parts: Iterator[Any]) -> dict[str, float]:
        if self.done == self.first:
            self.save()  # from here a longer run continues
            self.folder = self.decay_folder
        elif self.is_late():
            self.save()
        share = decayed_share(self.done, self.first, self.plan.steps)
        for group in self.optimizer.param_groups:
            group["multiple"] = share
        means = super().step(parts)
        return {**means, "rate": share * means["rate"]}

    def is_late(self) -> bool:
        """Whether the last checkpoint is ten minutes old, by the main process's clock, so that all agree."""
        late = torch.tensor(float(self.is_main and time.monotonic() - self.saved > CHECKPOINT_SECONDS))
        return bool(self.accelerator.reduce(late.to(self.accelerator.device), reduction="sum") > 0)
