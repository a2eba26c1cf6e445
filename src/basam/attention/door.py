"""The kernel's door: checks, the choice of a backend, and what makes the tiled kernel known to autograd and torch.compile.

Rows and columns of the bias are made in `sam_terms`: there the mask and the relative positions of SAM enter.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention import cpu_tiles as tiled
from basam.attention.fallbacks import fallback_attention
from basam.attention.operands import check_bias, check_operands
from basam.attention.reference import eager_attention
from basam.attention.triton_ops import triton_attention
from basam.attention.triton_problem import triton_problem
from basam.errors import InputError

Backend = Literal["auto", "triton", "tiled", "eager"]

# Logits, in bytes, up to which one fused call with the whole bias is at least as fast as tiles: what two tiles hold, since so
# few calls do not repay their overhead. Where something is differentiated that call keeps them, and is faster only while they
# fit the second-level cache.
SMALL_BYTES = 16 << 20
SMALL_BYTES_GRAD = 512 << 10


def separable_attention(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, *, scale: float, backend: Backend = "auto"
) -> Tensor:
    """softmax(scale * q.k + rows[.., key row] + cols[.., key column]) v over a grid of N = H * W tokens, row by row.

    Exact, differentiable once in all five tensors, memory linear in N. Softmax is computed in float32 or better; matrix
    multiplications run in the dtype of q (see `cpu_tiles` for bfloat16 on a CPU).

    Args:
        q, k, v: `(B, heads, N, d)` of one dtype: float64, float32, bfloat16 or float16.
        rows: `(B, heads, N, H)`, added to the logits of all keys of a grid row. Any floating dtype.
        cols: `(B, heads, N, W)`, added to the logits of all keys of a grid column.
        scale: factor on q.k.
        backend: `tiled`, for CPUs; `triton`, for CUDA; `eager`, which makes the N x N tensor; `auto`, the fastest of those that
            keep memory linear. On CUDA that is `triton`; where it is not possible `auto` warns once, says why, and takes
            PyTorch's fused attention, which rounds the bias to the dtype of q.

    Returns:
        `(B, heads, N, d)` in the dtype of q, in any order in memory.

    Raises:
        TypeError: something is no tensor.
        ValueError: shapes that do not fit together, an unknown backend, or `triton` where it is not possible.
    """
    check_operands(q, k, v, scale)
    check_bias(q, rows, cols)
    if not isinstance(backend, str) or backend not in ("auto", "tiled", "triton", "eager"):
        raise InputError(f"backend={backend!r}: allowed are 'auto', 'triton', 'tiled', 'eager'")
    if backend == "eager":
        return eager_attention(q, k, v, rows, cols, scale)
    accelerated = backend == "triton" or (backend == "auto" and q.device.type != "cpu")
    if accelerated:
        problem = triton_problem(q.device, q.dtype, q.shape[-1])
        if problem is None:
            return triton_attention(q, k, v, rows, cols, scale)
        if backend == "triton":
            raise InputError(f"backend='triton': {problem}; backend='auto' takes what is possible")
        warn_of(problem)
    elif backend == "auto" and one_call(q, (q, k, v, rows, cols)):
        working = tiled.working_dtype(q.dtype)
        if not (rows.dtype == working == cols.dtype):
            rows, cols = rows.to(working), cols.to(working)
        bias = rows.unsqueeze(-1) + cols.unsqueeze(-2)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.flatten(-2), scale=scale)
    return TiledAttention.apply(q, k, v, rows, cols, scale, accelerated and q.dtype != torch.float64)


WARNED: set[str] = set()


def warn_of(problem: str) -> None:
    """Once per reason, and not while compiling, which would trace it."""
    if not torch.compiler.is_compiling() and problem not in WARNED:
        WARNED.add(problem)
        warnings.warn(f"the Triton kernels are not used, PyTorch's fused attention is: {problem}", stacklevel=3)


# Runs before every call; the smallest calls take less than a millisecond, so each line here counts.
def one_call(q: Tensor, inputs: tuple[Tensor, ...]) -> bool:
    """Whether all logits are few enough for one fused call."""
    batch, heads, tokens, _ = q.shape
    logits = batch * heads * tokens**2 * tiled.working_dtype(q.dtype).itemsize
    if logits > SMALL_BYTES:
        return False
    return logits <= SMALL_BYTES_GRAD or not torch.is_grad_enabled() or not any(t.requires_grad for t in inputs)


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


# Custom operators are opaque to torch.compile: it neither unrolls the tiles nor breaks its graph at them.
@torch.library.custom_op("basam::tiled_forward", mutates_args=())
def tiled_forward(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, fallback: bool) -> Tensor:
    return (fallback_attention if fallback else tiled.forward)(q, k, v, rows, cols, scale)


@tiled_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, fallback: bool) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)


@torch.library.custom_op("basam::tiled_backward", mutates_args=())
def tiled_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return tiled.backward(grad, q, k, v, rows, cols, scale)


@tiled_backward.register_fake
def _(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    dq, dk, dv, drows, dcols = (torch.empty_like(t, memory_format=torch.contiguous_format) for t in (q, k, v, rows, cols))
    return dq, dk, dv, drows, dcols
