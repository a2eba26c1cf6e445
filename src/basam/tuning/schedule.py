"""The learning rate as a function of the step alone, so that a resumed run needs no state for it."""

from __future__ import annotations

import math


def learning_rate(step: int, steps: int, peak: float, warmup: int, floor: float = 0.01) -> float:
    """Linear warm-up over `warmup` steps to `peak`, then a cosine down to `floor * peak` at the end of `steps`.

    `step` is counted from 0; the first one already has `peak / warmup`.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))
