"""Splitting a projected grid into SAM's windows and joining them, for grids of any size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def split_windows(qkv: Tensor, window: int, fill: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """`(B, H, W, 3, heads, d)` to q, k and v, all `(B * windows, heads, window ** 2, d)`.

    SAM pads the *input* of the projection with zeros up to a multiple of the window, and does not mask the padding. A zero
    projects to the bias: here the projection of the image's own tokens is padded with `fill`, `(3, heads, d)` (None: zeros),
    which gives the same numbers and saves the projection of the padding.
    """
    batch, height, width, _, heads, head_dim = qkv.shape
    down, right = -height % window, -width % window
    if down or right:
        qkv = F.pad(qkv, (0, 0, 0, 0, 0, 0, 0, right, 0, down))
        if fill is not None:
            qkv[:, height:] = fill
            qkv[:, :height, width:] = fill
    cut = qkv.view(batch, (height + down) // window, window, (width + right) // window, window, 3, heads, head_dim)
    cut = cut.permute(5, 0, 1, 3, 6, 2, 4, 7)  # (3, B, rows of windows, columns of windows, heads, window, window, d)
    q, k, v = cut.reshape(3, -1, heads, window**2, head_dim)
    return q, k, v


def join_windows(out: Tensor, batch: int, height: int, width: int, window: int) -> Tensor:
    """`(B * windows, heads, window ** 2, d)` to `(B, height, width, heads * d)`, the padding cut off."""
    heads, head_dim = out.shape[1], out.shape[-1]
    across = -(-width // window)
    tiled = out.view(batch, -1, across, heads, window, window, head_dim).permute(0, 1, 4, 2, 5, 3, 6)
    # For clarity: (B, rows of windows, window, columns of windows, window, heads, d)
    padded = tiled.reshape(batch, -1, across * window, heads * head_dim)
    # Contiguous: `linear` of a slice of rows would multiply row by row, with a copy of the weight every time.
    return padded[:, :height, :width].contiguous()
