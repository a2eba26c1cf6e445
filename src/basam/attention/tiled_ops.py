"""The kernels in tiles and blocks as operators that autograd and `torch.compile` know.

Custom operators are opaque to `torch.compile`: it neither unrolls the tiles nor breaks its graph at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from basam.attention import cpu_neighborhood, cpu_tiles
from basam.attention.fallbacks import fallback_attention


class TiledAttention(torch.autograd.Function):
    """Saves its inputs only, and recomputes every tile in the backward pass."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, fallback: bool) -> Tensor:
        ctx.save_for_backward(q, k, v, rows, cols)
        ctx.scale = scale
        return tiled_forward(q, k, v, rows, cols, scale, fallback)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (*tiled_backward(grad, *ctx.saved_tensors, ctx.scale), None, None)


@torch.library.custom_op("basam::tiled_forward", mutates_args=())
def tiled_forward(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, fallback: bool) -> Tensor:
    return (fallback_attention if fallback else cpu_tiles.forward)(q, k, v, rows, cols, scale)


@tiled_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, fallback: bool) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)


@torch.library.custom_op("basam::tiled_backward", mutates_args=())
def tiled_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return cpu_tiles.backward(grad, q, k, v, rows, cols, scale)


@tiled_backward.register_fake
def _(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    dq, dk, dv, drows, dcols = (torch.empty_like(t, memory_format=torch.contiguous_format) for t in (q, k, v, rows, cols))
    return dq, dk, dv, drows, dcols


class NeighborhoodAttention(torch.autograd.Function):
    """Saves its inputs only, and recomputes every block in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: Sequence[int], window: Sequence[int],
        scale: float,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(q, k, v, rows, cols)
        ctx.sizes = grid, window, scale
        return neighborhood_forward(q, k, v, rows, cols, grid, window, scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (*neighborhood_backward(grad, *ctx.saved_tensors, *ctx.sizes), None, None, None)


@torch.library.custom_op("basam::neighborhood_forward", mutates_args=())
def neighborhood_forward(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: Sequence[int], window: Sequence[int], scale: float
) -> Tensor:
    return cpu_neighborhood.forward(q, k, v, rows, cols, (grid[0], grid[1]), (window[0], window[1]), scale)


@neighborhood_forward.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: Sequence[int], window: Sequence[int], scale: float
) -> Tensor:
    batch, heads, tokens, head_dim = q.shape
    return q.new_empty(batch, tokens, heads, head_dim).transpose(1, 2)


@torch.library.custom_op("basam::neighborhood_backward", mutates_args=())
def neighborhood_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: Sequence[int], window: Sequence[int],
    scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    return cpu_neighborhood.backward(grad, q, k, v, rows, cols, (grid[0], grid[1]), (window[0], window[1]), scale)


@neighborhood_backward.register_fake
def _(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: Sequence[int], window: Sequence[int],
    scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    dq, dk, dv, drows, dcols = (torch.empty_like(t, memory_format=torch.contiguous_format) for t in (q, k, v, rows, cols))
    return dq, dk, dv, drows, dcols
