"""Attention of some queries over a grid, reduced to the trained grid, and two measures of it.

What is compared. The trained grid of a photograph is the grid it has when its long side is the trained one, h x w patches.
A larger grid of H x W patches lies over it with `ratio` patches to one trained patch along an axis. Queries are *places* of
the photograph, in trained patches from its upper left corner; the query of a grid is the patch that holds the place. An
attention row over the large grid is summed over the keys of each trained patch (area pooling: a key that two trained
patches share goes to both, by the length it has in each), which leaves a distribution over h x w keys. That is set beside
the row that the same place has at the trained size: entropy of both, and the total variation between them.

Rows are computed for the chosen queries only, some at a time; nothing here is N x N.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Attention rows of one tile of queries.
TILE_BYTES = 32 << 20


def patches_at(places: Tensor, ratio: float, length: int) -> Tensor:
    """Index of the patch that holds each place along an axis of `length` patches: `(Q,)` int64 of places `(Q,)`."""
    return (places * ratio).floor().long().clamp(0, length - 1)


def axis_pooling(length: int, trained_length: int, ratio: float) -> Tensor:
    """Share of every patch that lies in every trained patch, along an axis: `(length, trained_length)`, rows sum to 1.

    Patches beyond the trained grid (padding to a whole patch) go to its last one.
    """
    edges = torch.arange(length + 1, dtype=torch.float64) / ratio
    cells = torch.arange(trained_length + 1, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], cells[None, 1:]) - torch.maximum(edges[:-1, None], cells[None, :-1])
    overlap = overlap.clamp(min=0)
    overlap[edges[:-1] >= trained_length, -1] = 1
    return overlap / overlap.sum(1, keepdim=True)


def pooled_attention(q: Tensor, k: Tensor, rows: Tensor, cols: Tensor, scale: float, pool_h: Tensor, pool_w: Tensor) -> Tensor:
    """softmax(scale * q.k + rows + cols) of some queries of one head, summed over the keys of each trained patch.

    Args:
        q: `(Q, d)`, the chosen queries; k: `(N, d)`, all keys, row by row; rows: `(Q, H)` and cols: `(Q, W)`, their bias.
        pool_h, pool_w: `(H, h)` and `(W, w)` from `axis_pooling`.

    Returns:
        `(Q, h, w)` float32, each query's numbers summing to 1.
    """
    q, k, rows, cols = (tensor.float() for tensor in (q, k, rows, cols))
    pool_h, pool_w = pool_h.to(q), pool_w.to(q)
    step = max(1, TILE_BYTES // (4 * len(k)))
    pooled = []
    for part in (slice(start, start + step) for start in range(0, len(q), step)):
        bias = rows[part, :, None] + cols[part, None, :]
        attention = (scale * (q[part] @ k.T) + bias.flatten(1)).softmax(-1).view_as(bias)
        pooled.append(pool_h.T @ attention @ pool_w)
    return torch.cat(pooled)


def entropy(attention: Tensor) -> Tensor:
    """Entropy in nats over the last two axes, `(..., h, w)` to `(...)`: ln(h w) where attention is uniform."""
    return torch.special.entr(attention).sum((-2, -1))


def total_variation(a: Tensor, b: Tensor) -> Tensor:
    """Half the sum of |a - b| over the last two axes: 0 where they are the same, 1 where they share no key."""
    return (a - b).abs().sum((-2, -1)) / 2
