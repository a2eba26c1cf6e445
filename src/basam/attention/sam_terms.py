"""SAM's attention: the separable bias made from relative position tables and the bias-mode mask, some heads at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from basam.attention.cpu_tiles import working_dtype
from basam.attention.door import separable_attention
from basam.attention.operands import check_grid, check_operands, check_slopes, check_tables
from basam.attention.triton_ops import triton_relative
from basam.attention.triton_problem import triton_problem
from basam.positions import mask_table

# Bias of the heads that are worked on at one time while no gradients are recorded, on a CPU and elsewhere. One head of a
# 256 x 256 grid takes 128 MB.
BIAS_BYTES = 64 << 20
BIAS_BYTES_ACCELERATOR = 512 << 20


def separable_bias(q: Tensor, table_h: Tensor, table_w: Tensor, slopes: Tensor | None) -> tuple[Tensor, Tensor]:
    """rows `(B, heads, N, H)` and cols `(B, heads, N, W)` of queries `(B, heads, N, d)`.

    rows[..., (y, x), r] = q . table_h[y, r] - slope * |y - r|, and cols likewise; the query is not scaled (SAM's own
    convention, `add_decomposed_rel_pos`). Tables `(H, H, d)` and `(W, W, d)`, slopes `(heads,)`. The bias is float32 or better
    whatever the dtype of q: it is small beside the N x N logits that it is added to, so that its precision costs little.
    """
    check_tables(q, table_h, table_w)
    if slopes is not None:
        check_slopes(q, slopes)
    height, width = table_h.shape[0], table_w.shape[0]
    working = working_dtype(q.dtype)
    grid = q.unflatten(2, (height, width)).to(working)
    with torch.autocast(q.device.type, enabled=False):  # which would multiply in low precision whatever the operands
        rows = torch.einsum("bnhwd,hkd->bnhwk", grid, table_h.to(working))
        cols = torch.einsum("bnhwd,wkd->bnhwk", grid, table_w.to(working))
    if slopes is not None:
        slopes = slopes.to(working)
        rows = rows + mask_table(height, slopes)[:, :, None, :]
        cols = cols + mask_table(width, slopes)[:, None, :, :]
    return rows.flatten(2, 3), cols.flatten(2, 3)


def mask_bias(q: Tensor, height: int, width: int, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """rows `(B, heads, N, H)` and cols `(B, heads, N, W)` of the bias-mode mask alone, float32 or better."""
    slopes = slopes.to(q.device, working_dtype(q.dtype))
    rows = mask_table(height, slopes)[:, :, None, :].expand(-1, height, width, height)
    cols = mask_table(width, slopes)[:, None, :, :].expand(-1, height, width, width)
    batch = q.shape[0]
    return rows.flatten(1, 2).expand(batch, -1, -1, -1), cols.flatten(1, 2).expand(batch, -1, -1, -1)


def relative_attention(
    q: Tensor, k: Tensor, v: Tensor, table_h: Tensor, table_w: Tensor, slopes: Tensor | None, scale: float
) -> Tensor:
    """Attention over an H x W grid with decomposed relative positions and the bias-mode mask: `(B, heads, N, d)`.

    As `separable_attention` with the bias of `separable_bias`; see `by_heads`.

    Raises:
        TypeError: something is no tensor.
        ValueError: shapes that do not fit together.
    """
    check_operands(q, k, v, scale)
    check_tables(q, table_h, table_w)
    if slopes is not None:
        check_slopes(q, slopes)
    if bias_in_kernel(q, k, v, table_h, table_w, slopes):
        height, width = table_h.shape[0], table_w.shape[0]
        return triton_relative(q, k, v, table_h, table_w, slopes, height, width, scale)

    def bias(part: slice) -> tuple[Tensor, Tensor]:
        return separable_bias(q[:, part], table_h, table_w, None if slopes is None else slopes[part])

    return by_heads(bias, q, k, v, table_h.shape[0] + table_w.shape[0], scale)


def masked_attention(q: Tensor, k: Tensor, v: Tensor, height: int, width: int, slopes: Tensor, scale: float) -> Tensor:
    """The same without relative positions: the bias-mode mask is all that is added. Errors likewise."""
    check_operands(q, k, v, scale)
    check_grid(q, height, width)
    check_slopes(q, slopes)
    if bias_in_kernel(q, k, v, slopes):
        return triton_relative(q, k, v, None, None, slopes, height, width, scale)

    def bias(part: slice) -> tuple[Tensor, Tensor]:
        return mask_bias(q[:, part], height, width, slopes[part])

    return by_heads(bias, q, k, v, height + width, scale)


def bias_in_kernel(q: Tensor, *others: Tensor | None) -> bool:
    """Whether the Triton kernels make the bias themselves: on CUDA, where nothing is differentiated."""
    if q.device.type != "cuda" or triton_problem(q.device, q.dtype, q.shape[-1]) is not None:
        return False
    return not (torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (q, *others)))


def by_heads(
    bias: Callable[[slice], tuple[Tensor, Tensor]], q: Tensor, k: Tensor, v: Tensor, sides: int, scale: float
) -> Tensor:
    """`separable_attention` with the `bias` of some heads, `sides` numbers per query, at one time.

    No more of it is held than `BIAS_BYTES` allow, unless it must be kept for the backward pass.
    """
    heads = q.shape[1]
    step = heads
    if not torch.is_grad_enabled():
        numbers = q.shape[0] * q.shape[2] * sides  # per head
        budget = BIAS_BYTES if q.device.type == "cpu" else BIAS_BYTES_ACCELERATOR
        step = min(heads, max(1, budget // (numbers * working_dtype(q.dtype).itemsize)))
    if step == heads:
        return separable_attention(q, k, v, *bias(slice(0, heads)), scale=scale)
    out = torch.empty_like(q)
    for start in range(0, heads, step):
        part = slice(start, start + step)
        out[:, part] = separable_attention(q[:, part], k[:, part], v[:, part], *bias(part), scale=scale)
    return out
