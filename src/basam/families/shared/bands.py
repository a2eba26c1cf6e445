"""Work on a part of a grid at a time, so that intermediate results stay in the CPU's cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Tokens that go through window attention at one time, so that intermediate results stay in the CPU's cache.
BAND_TOKENS = 1024


def in_pieces(x: Tensor) -> bool:
    """Whether work on `x` is done in pieces that fit the CPU's cache.

    Not on other devices, not while gradients are recorded (every piece would be stored), and not under `torch.compile`, whose
    graph would hold every piece.
    """
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not torch.compiler.is_compiling()


def by_bands(attend: Callable[[Tensor], Tensor], x: Tensor, window: int) -> Tensor:
    """`attend` over `x` `(B, H, W, C)` in bands of whole windows, which are independent of one another."""
    batch, height, width, _ = x.shape
    rows = window * max(1, BAND_TOKENS // (batch * window * width))
    if rows >= height or not in_pieces(x):
        return attend(x)
    return torch.cat([attend(band.contiguous()) for band in x.split(rows, 1)], 1)
