"""A trainer on a line through points: every part of the loop, in milliseconds per step.

python line.py FOLDER STEPS DEATH          # killed after step DEATH
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from basam.lab.tuning import Plan, Trainer

SIZE = 8


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": (self.layer(batch["x"]) - batch["y"]).square().mean()}


class Points:
    """`SIZE` points per step; NaN at step `bad`."""

    def __init__(self, bad: int = -1) -> None:
        self.bad = bad

    def describe(self, step: int) -> str:
        return f"points {step}"

    def make(self, step: int, part: int, parts: int) -> Any:
        x = torch.stack(
            [torch.randn(3, generator=torch.Generator().manual_seed(1000 * step + index)) for index in range(part, SIZE, parts)]
        )
        return {"x": x, "y": x.sum(1, keepdim=True) + (float("nan") if step == self.bad else 0.0)}


def trainer(folder: Path, steps: int = 12, bad: int = -1, **more: Any) -> tuple[Trainer, list[float]]:
    """A trainer on the CPU and the list that its losses go to."""
    plan = more.pop("plan", None) or Plan(steps=steps, rate=0.05, warmup=2, ema=0.9)
    more = {"trackers": (), "save_every": 4, "log_every": 100} | more
    one = Trainer(Line(), Points(bad), plan, folder, device="cpu", **more)
    losses: list[float] = []
    step = one.step

    def recorded(parts: Any) -> dict[str, float]:
        means = step(parts)
        losses.append(means["loss"])
        return means

    one.step = recorded  # type: ignore[method-assign]
    return one, losses


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, steps, death = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    one, _ = trainer(folder, steps)
    inner = one.step

    def mortal(parts: Any) -> dict[str, float]:
        if one.done == death:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(parts)

    one.step = mortal  # type: ignore[method-assign]
    one.run()
