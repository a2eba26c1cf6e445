"""Neighborhood attention in blocks of queries: exact, time and memory linear in the number of tokens; forward and backward.

    logits[i, (r, c)] = scale * q_i . k_(r, c) + rows[i, r - first row of its window] + cols[i, c - first column of its window]

A block is a rectangle of queries. It attends to the union of their windows, which is a rectangle of keys; rows and columns
outside a query's window get the bias `HIDDEN_BIAS`. A window is a product of rows and columns, so this is exact. PyTorch's
fused attention computes the block, with logits and softmax in float32 or better.

Three things make it fast. Queries within half a window of an edge of the grid share one window along that axis: they are a
block of their own, without keys outside it. The keys of a strip of columns are copied once, and the blocks down that strip
use slices of the copy. Key columns are widened to a multiple of 16, for which adding rows and columns of a bias is twice as
fast. Blocks are computed in order, also in the backward pass, so sums are deterministic.

Window: Hassani et al., "Neighborhood Attention Transformer", CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention.bias import working_dtype
from basam.attention.cpu_tiles import pieces

# Bias of a key outside a query's window, along either axis. Finite, also twice and in float16: logits are far smaller.
HIDDEN_BIAS = -3.0e4
# Queries along a side of a block between the edges: larger blocks multiply more keys outside of windows, smaller ones have more
# overhead per call.
BLOCK = 16
# Number of key columns is a multiple of this if the grid is wide enough.
COLUMNS = 16
# Bytes of bias per call: for every four threads, because a call of 256 queries uses four; and on accelerators.
BIAS_BYTES = 8 << 20
BIAS_BYTES_ACCELERATOR = 256 << 20
# Least number of queries in a call, even where its bias is larger.
LEAST_QUERIES = 256


@dataclass(frozen=True)
class Span:
    """Queries `start` to `stop` of an axis, and the keys `low` to `high` that at least one of them sees.

    The window of the first query begins `offset` keys after `low`, that of the next one `step` keys further, and so on.
    """

    start: int
    stop: int
    low: int
    high: int
    offset: int
    step: int

    @property
    def queries(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def keys(self) -> slice:
        return slice(self.low, self.high)


@lru_cache(256)
def spans(length: int, window: int, block: int, multiple: int) -> tuple[Span, ...]:
    """Split an axis into spans of queries: those at the edges, and `block` at a time between them.

    The number of keys of a span is a multiple of `multiple` where the axis is long enough.
    """
    if window == length:
        return (Span(0, length, 0, length, 0, 0),)
    before, after = window // 2 + 1, length - window + window // 2  # queries of the first window, and of the last
    result = [Span(0, before, 0, window, 0, 0)]
    for part in pieces(after - before, block) if after > before else ():
        start, stop = before + part.start, before + part.stop
        low, high = start - window // 2, stop - 1 - window // 2 + window
        size = min(length, -(-(high - low) // multiple) * multiple)
        wide = max(0, min(low, length - size))
        result.append(Span(start, stop, wide, wide + size, low - wide, 1))
    return (*result, Span(after, length, length - window, length, 0, 0))


class Block(NamedTuple):
    """Queries and keys of one call: some heads of an image, rows and columns of queries, spans of keys."""

    image: int
    heads: slice
    rows: Span
    columns: Span


def blocks(shape: torch.Size, grid: tuple[int, int], window: tuple[int, int], budget: int, item_bytes: int) -> Iterator[Block]:
    """All blocks, one strip of columns after the other."""
    batch, heads = shape[:2]
    down, across = spans(grid[0], window[0], BLOCK, 1), spans(grid[1], window[1], BLOCK, COLUMNS)
    for image in range(batch):
        for columns in across:
            across_queries, across_keys = columns.stop - columns.start, columns.high - columns.low
            least = -(-LEAST_QUERIES // across_queries)  # rows of queries in a call
            row_bytes = max(across_queries * across_keys * (rows.high - rows.low) for rows in down) * item_bytes
            for part in pieces(heads, budget // (min(BLOCK, least, grid[0]) * row_bytes)):
                most = max(least, budget // ((part.stop - part.start) * row_bytes))
                for rows in down:
                    for piece in pieces(rows.stop - rows.start, most):
                        start, stop = rows.start + piece.start, rows.start + piece.stop
                        yield Block(image, part, cut(rows, start, stop), columns)


def cut(rows: Span, start: int, stop: int) -> Span:
    """Some of the queries of a span, with the keys that they see."""
    if not rows.step:
        return Span(start, stop, rows.low, rows.high, rows.offset, 0)
    size = rows.high - rows.low - (rows.stop - rows.start - 1)
    low = rows.low + start - rows.start
    return Span(start, stop, low, low + size + stop - start - 1, 0, 1)


def spread(bias: Tensor, span: Span, axis: int) -> Tensor:
    """Bias of windows `(g, rows, columns, size)` as that of all keys of a block, along the `axis` of its queries."""
    keys = span.high - span.low
    if keys == bias.shape[-1]:
        return bias
    out = bias.new_full((*bias.shape[:-1], keys), HIDDEN_BIAS)
    windows(out, span, axis, bias.shape[-1]).copy_(bias)
    return out


def windows(by_key: Tensor, span: Span, axis: int, size: int) -> Tensor:
    """The part of `(g, rows, columns, keys)`, contiguous, that is inside the windows: a view `(g, rows, columns, size)`."""
    strides = list(by_key.stride())
    strides[axis] += span.step
    return by_key.as_strided((*by_key.shape[:-1], size), strides, by_key.storage_offset() + span.offset)


class Operands:
    """The tensors of one call on the grid, and the bias of its blocks."""

    def __init__(self, rows: Tensor, cols: Tensor, grid: tuple[int, int], working: torch.dtype) -> None:
        self.rows, self.cols = rows.unflatten(2, grid), cols.unflatten(2, grid)
        self.working, threads = working, torch.get_num_threads()
        self.budget = BIAS_BYTES * max(1, threads // 4) if rows.device.type == "cpu" else BIAS_BYTES_ACCELERATOR
        self.buffer = rows.new_empty(0, dtype=working)

    def bias(self, block: Block) -> Tensor:
        """Of a block, `(g, queries, keys)`; a view of a buffer that the next block overwrites."""
        where = block.image, block.heads, block.rows.queries, block.columns.queries
        by_row = spread(self.rows[where].to(self.working), block.rows, 1)
        by_column = spread(self.cols[where].to(self.working), block.columns, 2)
        bias = self.buffer.resize_(*by_row.shape, by_column.shape[-1])  # (g, rows, columns, key rows, key columns)
        return torch.add(by_row[..., None], by_column[..., None, :], out=bias).flatten(1, 2).flatten(2)


def forward(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: tuple[int, int], window: tuple[int, int], scale: float
) -> Tensor:
    """`(B, heads, N, d)`, in the order of `(B, N, heads, d)`. Bias and windows as in `reference.eager_neighborhood`."""
    working = working_dtype(q.dtype)
    operands = Operands(rows, cols, grid, working)
    batch, heads, tokens, head_dim = q.shape
    out = q.new_empty(batch, tokens, heads, head_dim).transpose(1, 2)
    queries, into = q.unflatten(2, grid), out.unflatten(2, grid)
    strip, keys, values = None, k, v
    for block in blocks(q.shape, grid, window, operands.budget, working.itemsize):
        if strip != (block.image, block.heads, block.columns):
            strip = block.image, block.heads, block.columns
            where = block.image, block.heads, slice(None), block.columns.keys
            keys, values = (t.unflatten(2, grid)[where].contiguous() for t in (k, v))
        here = block.image, block.heads, block.rows.queries, block.columns.queries
        some = queries[here]
        bias = operands.bias(block)
        done = F.scaled_dot_product_attention(
            some.flatten(1, 2)[None],
            keys[:, block.rows.keys].flatten(1, 2)[None],
            values[:, block.rows.keys].flatten(1, 2)[None],
            attn_mask=(bias if q.device.type == "cpu" else bias.to(q.dtype))[None],
            scale=scale,
        )
        into[here] = done.view(some.shape)
    return out


def backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: tuple[int, int], window: tuple[int, int],
    scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of q, k, v, rows and cols. With p the probabilities and dp = grad v^T, the logits get p (dp - sum(p dp)).

    Every block is computed anew, in float32 or better.
    """
    working = working_dtype(q.dtype)
    operands = Operands(rows, cols, grid, working)
    results = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in (q, rows, cols)]
    dq, drows, dcols = (t.unflatten(2, grid) for t in results)
    dk, dv = (torch.zeros(k.shape, dtype=working, device=k.device).unflatten(2, grid) for _ in range(2))
    of_queries, of_keys = (q.unflatten(2, grid), grad.unflatten(2, grid)), (k.unflatten(2, grid), v.unflatten(2, grid))
    for block in blocks(q.shape, grid, window, operands.budget, working.itemsize):
        here = block.image, block.heads, block.rows.queries, block.columns.queries
        there = block.image, block.heads, block.rows.keys, block.columns.keys
        queries, g = (t[here].to(working).flatten(1, 2) for t in of_queries)
        keys, values = (t[there].to(working).flatten(1, 2) for t in of_keys)
        p = operands.bias(block).baddbmm_(queries, keys.mT, alpha=scale).softmax(-1)
        dv[there] += torch.bmm(p.mT, g).view(dv[there].shape)
        dp = torch.bmm(g, values.mT)
        dlogits = dp.sub_((dp * p).sum(-1, keepdim=True)).mul_(p)
        by_key = dlogits.unflatten(2, (block.rows.high - block.rows.low, -1)).unflatten(1, dq[here].shape[1:3])
        drows[here] = windows(by_key.sum(-1), block.rows, 1, window[0]).to(drows.dtype)
        dcols[here] = windows(by_key.sum(-2), block.columns, 2, window[1]).to(dcols.dtype)
        dq[here] = torch.bmm(dlogits, keys).mul_(scale).view(dq[here].shape).to(dq.dtype)
        dk[there] += torch.bmm(dlogits.mT, queries).mul_(scale).view(dk[there].shape)
    dq, drows, dcols = results
    return dq, dk.flatten(2, 3).to(k.dtype), dv.flatten(2, 3).to(v.dtype), drows, dcols
