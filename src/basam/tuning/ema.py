"""An exponential moving average of the weights that are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Keeps `average = decay * average + (1 - decay) * weight` of every trained parameter, in float32 on its device.

    Args:
        module: whose parameters with `requires_grad` are averaged, from their present values on.
        decay: at least 0 and below 1; early on `(1 + step) / (10 + step)` where that is less, so that a start is forgotten.

    Raises:
        ValueError: `decay` out of its range.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"ema decay={decay}: at least 0 and below 1")
        self.decay = decay
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.averages = {name: p.detach().float().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step`, counted from 0."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        present = [self.parameters[name].float() for name in self.averages]
        torch._foreach_lerp_(list(self.averages.values()), present, weight)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averages in place of the weights for the length of a block."""
        kept = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.put(self.averages)
        try:
            yield
        finally:
            self.put(kept)

    @torch.no_grad()
    def put(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(values[name])

    def state_dict(self) -> dict[str, Tensor]:
        return self.averages

    def load_state_dict(self, averages: dict[str, Tensor]) -> None:
        for name, average in self.averages.items():
            average.copy_(averages[name])
