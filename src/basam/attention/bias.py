"""The separable bias of SAM's layers: decomposed relative positions and the bias-mode mask."""

from __future__ import annotations

import torch
from torch import Tensor

from basam.positions import mask_table


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """What logits, bias and softmax are held in: float32 or better."""
    return torch.promote_types(dtype, torch.float32)


def separable_bias(
    q: Tensor,
    grid: tuple[int, int],
    window: tuple[int, int],
    tables: tuple[Tensor, Tensor] | None,
    slopes: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """rows `(B, heads, N, h)` and cols `(B, heads, N, w)` of queries `(B, heads, N, d)` of a grid, for a window of h x w keys.

    rows[..., (y, x), r] = q . table_h[y, r] - slope * |y - key row r of its window|, and cols likewise; the query is not
    scaled (SAM's own convention, `add_decomposed_rel_pos`). Tables `(H, h, d)` and `(W, w, d)`, slopes `(heads,)`. A window as
    large as the grid is the whole grid. The bias is float32 or better whatever the dtype of q: it is small beside the N x N
    logits that it is added to, so that its precision costs little.
    """
    (height, width), working = grid, working_dtype(q.dtype)
    if tables is None:
        rows = cols = q.new_zeros((), dtype=working)
    else:
        cells = q.unflatten(2, grid).to(working)
        with torch.autocast(q.device.type, enabled=False):  # which would multiply in low precision whatever the operands
            rows = torch.einsum("bnhwd,hkd->bnhwk", cells, tables[0].to(working))
            cols = torch.einsum("bnhwd,wkd->bnhwk", cells, tables[1].to(working))
    if slopes is not None:
        slopes = slopes.to(working)
        rows = rows + mask_table(height, slopes, window[0])[:, :, None, :]
        cols = cols + mask_table(width, slopes, window[1])[:, None, :, :]
    shape = (*q.shape[:2], height, width)
    return rows.expand(*shape, window[0]).flatten(2, 3), cols.expand(*shape, window[1]).flatten(2, 3)
