"""Length and learning rate of training; the rate is a function of the step alone, so that resuming needs no state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from basam.checks import Count, NotNegative, Positive, Share, Whole, check_fields

# In the words of `accelerate`.
Precision = Literal["no", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Length and learning rate of training.

    Attributes:
        steps: optimiser steps in all; the learning rate falls over them.
        rate, floor, warmup: see `learning_rate`; at `floor=1` the rate is constant, and the run can be extended.
        weight_decay: of AdamW, on parameters of two and more dimensions.
        clip: largest norm of the gradient.
        accumulate: parts of a batch that are computed one after the other, to save memory.
        ema: decay of the average of weights; 0: the average follows the weights.
        precision: `no`, `bf16` or `fp16`, as `accelerate` calls them.
        seed: of batches and of what is drawn at random in weights.
    """

    steps: Count
    rate: Positive
    warmup: Whole = 100
    floor: Share = 0.01
    weight_decay: NotNegative = 0.05
    clip: Positive = 1.0
    accumulate: Count = 1
    ema: Share = 0.999
    precision: Precision = "no"
    seed: Whole = 0

    def __post_init__(self) -> None:
        check_fields(self)

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return learning_rate(step, self.steps, self.rate, self.warmup, self.floor)


def learning_rate(step: int, steps: int, peak: float, warmup: int, floor: float = 0.01) -> float:
    """Linear warm-up over `warmup` steps to `peak`, then a cosine down to `floor * peak` at the end of `steps`.

    `step` is counted from 0; the first one already has `peak / warmup`.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))
