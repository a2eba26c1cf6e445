"""The eager twins: attention with a separable bias, written as the formulas read. They make the N x N tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from basam.positions import window_keys


def eager_attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """softmax(scale * q.k + rows + cols) v, all in at least float32. Shapes as in `separable_attention`."""
    working = torch.promote_types(q.dtype, torch.float32)
    bias = rows.to(working)[..., :, None] + cols.to(working)[..., None, :]  # (B, heads, N, H, W)
    logits = scale * (q.to(working) @ k.to(working).transpose(-2, -1)) + bias.flatten(-2)
    return (logits.softmax(-1) @ v.to(working)).to(q.dtype)


def eager_neighborhood(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: tuple[int, int], window: tuple[int, int], scale: float
) -> Tensor:
    """Attention of every query to the keys of its window only, in at least float32: `(B, heads, N, d)`.

    The window of the query at (row, col) has `window[0]` rows and `window[1]` columns of the grid and begins at
    `window_starts`, so that it lies inside the grid (Hassani et al., "Neighborhood Attention Transformer", CVPR 2023).

    Args:
        q, k, v: `(B, heads, N, d)`, N = height * width tokens of `grid`, row by row.
        rows: `(B, heads, N, window[0])`, added to the logits of all keys of a row of the window, counted from its first.
        cols: `(B, heads, N, window[1])`, added to the logits of all keys of a column of the window, likewise.
        grid: height and width; window: its height and width, at most those of the grid.
    """
    working = torch.promote_types(q.dtype, torch.float32)
    down, across = (window_keys(length, size, q.device) for length, size in zip(grid, window, strict=True))
    keys = down[:, None, :, None] * grid[1] + across[None, :, None, :]  # (H, W, window[0], window[1])
    keys = keys.flatten(2).flatten(0, 1).expand(*q.shape[:3], -1)
    bias = rows.to(working)[..., :, None] + cols.to(working)[..., None, :]
    products = q.to(working) @ k.to(working).transpose(-2, -1)  # (B, heads, N, N)
    probabilities = (scale * products.gather(-1, keys) + bias.flatten(-2)).softmax(-1)
    return (torch.zeros_like(products).scatter(-1, keys, probabilities) @ v.to(working)).to(q.dtype)
