"""SAM's attention: the separable bias made from relative position tables and the bias-mode mask, some heads at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from basam.attention.cpu_tiles import working_dtype
from basam.attention.door import separable_attention
from basam.positions import mask_table

# Bias of the heads that are worked on at one time while no gradients are recorded. One head of a 256 x 256 grid takes 128 MB.
BIAS_BYTES = 64 << 20


def separable_bias(q: Tensor, table_h: Tensor, table_w: Tensor, slopes: Tensor | None) -> tuple[Tensor, Tensor]:
    """rows `(B, heads, N, H)` and cols `(B, heads, N, W)` of queries `(B, heads, N, d)`.

    rows[..., (y, x), r] = q . table_h[y, r] - slope * |y - r|, and cols likewise; the query is not scaled (SAM's own
    convention, `add_decomposed_rel_pos`). Tables `(H, H, d)` and `(W, W, d)`, slopes `(heads,)`. The bias is float32 or better
    whatever the dtype of q: it is small beside the N x N logits that it is added to, so that its precision costs little.
    """
    height, width = table_h.shape[0], table_w.shape[0]
    working = working_dtype(q.dtype)
    grid = q.unflatten(2, (height, width)).to(working)
    rows = torch.einsum("bnhwd,hkd->bnhwk", grid, table_h.to(working))
    cols = torch.einsum("bnhwd,wkd->bnhwk", grid, table_w.to(working))
    if slopes is not None:
        slopes = slopes.to(working)
        rows = rows + mask_table(height, slopes)[:, :, None, :]
        cols = cols + mask_table(width, slopes)[:, None, :, :]
    return rows.flatten(2, 3), cols.flatten(2, 3)


def relative_attention(
    q: Tensor, k: Tensor, v: Tensor, table_h: Tensor, table_w: Tensor, slopes: Tensor | None, scale: float
) -> Tensor:
    """Attention over an H x W grid with decomposed relative positions and the bias-mode mask: `(B, heads, N, d)`.

    As `separable_attention` with the bias of `separable_bias`, which is never held for more heads than `BIAS_BYTES` allow
    unless it must be kept for the backward pass.
    """
    heads = q.shape[1]
    step = heads
    if not torch.is_grad_enabled():
        numbers = q.shape[0] * q.shape[2] * (table_h.shape[0] + table_w.shape[0])  # per head
        step = min(heads, max(1, BIAS_BYTES // (numbers * working_dtype(q.dtype).itemsize)))
    if step == heads:
        return separable_attention(q, k, v, *separable_bias(q, table_h, table_w, slopes), scale=scale)
    out = torch.empty_like(q)
    for start in range(0, heads, step):
        part = slice(start, start + step)
        bias = separable_bias(q[:, part], table_h, table_w, None if slopes is None else slopes[part])
        out[:, part] = separable_attention(q[:, part], k[:, part], v[:, part], *bias, scale=scale)
    return out
