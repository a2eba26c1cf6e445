"""Learned slopes of the bias-mode mask: one number per head and global layer, always positive.

They belong to an attachment and not to the model, whose parameters and state dict keys stay those of the plain one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from basam.errors import InputError
from basam.method import head_slopes


class LearnedSlopes(nn.Module):
    """Slopes in logits per patch, stored as logarithms, so that a step of the optimiser is a share of the slope.

    Args:
        start: `(global layers, heads)`, above 0; layers in the order of the encoder.

    Raises:
        ValueError: another shape, or a slope that is not above 0.
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        if start.ndim != 2:
            raise InputError(f"slopes of shape {tuple(start.shape)}: (global layers, heads) are needed")
        if not bool(((start > 0) & start.isfinite()).all()):
            raise InputError(f"slopes from {float(start.min()):g} to {float(start.max()):g}: they must be finite and above 0")
        self.log = nn.Parameter(start.float().log())

    @classmethod
    def uniform(cls, layers: int, heads: int, slope: float) -> LearnedSlopes:
        """`slope` for every head of every global layer."""
        return cls(head_slopes(heads, slope).expand(layers, heads))

    def forward(self) -> Tensor:
        """`(global layers, heads)` float32."""
        return self.log.exp()

    def of_layer(self, layer: int) -> Tensor:
        """Slopes `(heads,)` of one global layer, counted from 0."""
        return torch.exp(self.log[layer])
