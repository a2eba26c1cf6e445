"""The single entry to the kernels: chooses the kernel for a call.

Families call `grid_attention`. `separable_attention` is its public core, for callers with their own bias; it checks its
operands, and nothing behind it checks again.
"""

from __future__ import annotations

import warnings
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention.bias import separable_bias, working_dtype
from basam.attention.operands import check_bias, check_neighborhood, check_operands
from basam.attention.reference import eager_attention
from basam.attention.tiled_ops import NeighborhoodAttention, TiledAttention
from basam.attention.triton_ops import triton_attention, triton_relative, triton_windows
from basam.attention.triton_problem import triton_problem
from basam.attention.windows import join_windows, split_windows
from basam.errors import InputError

Backend = Literal["auto", "triton", "tiled", "eager"]

# Logits, in bytes, up to which one fused call with the whole bias is at least as fast as tiles: what two tiles hold, since so
# few calls do not repay their overhead. Where something is differentiated that call keeps them, and is faster only while they
# fit the second-level cache.
SMALL_BYTES = 16 << 20
SMALL_BYTES_GRAD = 512 << 10
# Bias of the heads that are worked on at one time while no gradients are recorded, on a CPU and elsewhere. One head of a
# 256 x 256 grid takes 128 MB.
BIAS_BYTES = 64 << 20
BIAS_BYTES_ACCELERATOR = 512 << 20


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
        ValueError: shapes that do not match, an unknown backend, or `triton` where it is not possible.
    """
    check_operands(q, k, v, scale)
    check_bias(q, rows, cols)
    if not isinstance(backend, str) or backend not in ("auto", "tiled", "triton", "eager"):
        raise InputError(f"backend={backend!r}: allowed are 'auto', 'triton', 'tiled', 'eager'")
    return separable(q, k, v, rows, cols, scale, backend)


def neighborhood_attention(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: tuple[int, int], window: tuple[int, int], scale: float
) -> Tensor:
    """Attention of every query to the keys of a window around it: time and memory linear in N.

    The window of the query at (row, col) has `window[0]` rows and `window[1]` columns of the grid and begins at
    `positions.window_starts`: it is moved inside at the edges of the grid. Exact, differentiable once in all five tensors.

    Args:
        q, k, v: `(B, heads, N, d)` as in `separable_attention`, N = height * width tokens of `grid`, row by row.
        rows: `(B, heads, N, window[0])`, added to the logits of all keys of a row of the window, counted from its first.
        cols: `(B, heads, N, window[1])`, added to the logits of all keys of a column of the window, likewise.
        grid: height and width; window: its height and width, at most those of the grid.
        scale: factor on q.k.

    Raises:
        TypeError: something is no tensor.
        ValueError: shapes that do not match, or a window larger than the grid.
    """
    check_operands(q, k, v, scale)
    check_neighborhood(q, rows, cols, grid, window)
    return neighborhood(q, k, v, rows, cols, grid, window, scale)


def grid_attention(
    qkv: Tensor,
    *,
    scale: float,
    tables: tuple[Tensor, Tensor] | None = None,
    slopes: Tensor | None = None,
    window: tuple[int, int] | None = None,
    partition: int = 0,
    fill: Tensor | None = None,
) -> Tensor:
    """Attention of a layer of SAM from its projection: `(B, H, W, 3, heads, d)` to `(B, H, W, heads * d)`.

    Args:
        scale: factor on q.k.
        tables: relative positions of queries and the keys that they see along both axes, `(H, h, d)` and `(W, w, d)`; None:
            there are none.
        slopes: of the bias-mode mask, `(heads,)` in logits per patch; None: there is no mask.
        window: rows h and columns w of keys that a query sees (see `neighborhood_attention`); None: all, H and W.
        partition: side of the windows that the grid is cut into; 0: it is not. Tables are of a window then, and there are no
            slopes.
        fill: `(3, heads, d)`, what windows hold beyond the image (see `split_windows`); None: zeros.
    """
    batch, height, width = qkv.shape[:3]
    if partition:
        table_h, table_w = tables or (None, None)
        if bias_in_kernel(qkv, fill, table_h, table_w):
            return triton_windows(qkv, partition, fill, table_h, table_w, scale)
        q, k, v = split_windows(qkv, partition, fill)  # (B * windows, heads, partition ** 2, d)
        side = partition, partition
        out = attend(q, k, v, side, side, tables, None, scale)
        return join_windows(out, batch, height, width, partition)
    q, k, v = qkv.flatten(1, 2).permute(2, 0, 3, 1, 4)  # (B, heads, N, d)
    if slopes is not None:
        slopes = slopes.to(q.device, working_dtype(q.dtype))
    out = attend(q, k, v, (height, width), window or (height, width), tables, slopes, scale)
    return out.transpose(1, 2).reshape(batch, height, width, -1)


def attend(
    q: Tensor, k: Tensor, v: Tensor, grid: tuple[int, int], window: tuple[int, int],
    tables: tuple[Tensor, Tensor] | None, slopes: Tensor | None, scale: float,
) -> Tensor:  # fmt: skip
    """`(B, heads, N, d)`, N tokens of `grid`; the bias of some heads at a time, unless the backward pass wants all of it."""
    if tables is None and slopes is None and window == grid:
        return F.scaled_dot_product_attention(q, k, v, scale=scale)
    table_h, table_w = tables or (None, None)
    if bias_in_kernel(q, k, v, slopes, table_h, table_w):
        return triton_relative(q, k, v, table_h, table_w, slopes, grid, window, scale)
    heads = step = q.shape[1]
    if not torch.is_grad_enabled():
        numbers = q.shape[0] * q.shape[2] * sum(window)  # per head
        budget = BIAS_BYTES if q.device.type == "cpu" else BIAS_BYTES_ACCELERATOR
        step = min(heads, max(1, budget // (numbers * working_dtype(q.dtype).itemsize)))
    if step == heads:
        return neighborhood(q, k, v, *separable_bias(q, grid, window, tables, slopes), grid, window, scale)
    out = torch.empty_like(q)
    for start in range(0, heads, step):
        part = slice(start, start + step)
        bias = separable_bias(q[:, part], grid, window, tables, None if slopes is None else slopes[part])
        out[:, part] = neighborhood(q[:, part], k[:, part], v[:, part], *bias, grid, window, scale)
    return out


def neighborhood(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: tuple[int, int], window: tuple[int, int], scale: float
) -> Tensor:
    """`neighborhood_attention` without checks; with a window as large as the grid it is plain attention, by the same
    kernels."""
    if window == grid:
        return separable(q, k, v, rows, cols, scale)
    if q.device.type != "cpu":
        problem = triton_problem(q.device, q.dtype, q.shape[-1])
        if problem is None:
            return triton_attention(q, k, v, rows, cols, scale, grid)
        warn_of(problem)
    return NeighborhoodAttention.apply(q, k, v, rows, cols, grid, window, scale)


def separable(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, backend: Backend = "auto") -> Tensor:
    """`separable_attention` without checks."""
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
        working = working_dtype(q.dtype)
        if not (rows.dtype == working == cols.dtype):
            rows, cols = rows.to(working), cols.to(working)
        bias = rows.unsqueeze(-1) + cols.unsqueeze(-2)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.flatten(-2), scale=scale)
    return TiledAttention.apply(q, k, v, rows, cols, scale, accelerated and q.dtype != torch.float64)


def bias_in_kernel(q: Tensor, *others: Tensor | None) -> bool:
    """Whether the Triton kernels make the bias themselves: on CUDA, where nothing is differentiated."""
    if q.device.type != "cuda" or triton_problem(q.device, q.dtype, q.shape[-1]) is not None:
        return False
    return not (torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (q, *others)))


WARNED: set[str] = set()


def warn_of(problem: str) -> None:
    """Warn once per reason, and not while compiling, which would trace it."""
    if not torch.compiler.is_compiling() and problem not in WARNED:
        WARNED.add(problem)
        warnings.warn(f"the Triton kernels are not used, PyTorch's fused attention is: {problem}", stacklevel=3)


# Runs before every call; the smallest calls take less than a millisecond, so every line matters.
def one_call(q: Tensor, inputs: tuple[Tensor, ...]) -> bool:
    """Whether all logits are few enough for one fused call."""
    batch, heads, tokens, _ = q.shape
    logits = batch * heads * tokens**2 * working_dtype(q.dtype).itemsize
    if logits > SMALL_BYTES:
        return False
    return logits <= SMALL_BYTES_GRAD or not torch.is_grad_enabled() or not any(t.requires_grad for t in inputs)
