"""Exact attention with a separable bias in tiles of query rows: linear memory; forward on a CPU, backward on any device.

    logits[i, (r, c)] = scale * q_i . k_(r, c) + rows[i, r] + cols[i, c]

Small grids put many heads and images into one tile.

On a CPU the forward pass makes the bias of a tile, in float32 or better, and calls PyTorch's fused attention, which accepts it
with bfloat16 and float16 operands and computes logits and softmax in float32: only operands and probabilities are rounded. The
keys of a large grid are processed in blocks of whole grid rows, so that the bias stays in the cache; the log-sum-exp per query
and block combines the outputs of the blocks.

In float64, and in every backward pass, a tile is the logits of some queries against *all* keys, in place. The backward pass
recomputes every tile instead of storing it. In bfloat16 and float16, q.k is rounded there; keys are centred first (subtracting
their mean shifts all logits of a query by one value, which softmax ignores) and scaled, so that rounding acts on small numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from basam.attention.bias import working_dtype

# Logits of one tile. Half the last-level cache of a current CPU core complex; on an accelerator, enough work for a launch.
TILE_BYTES = {"cpu": 4 << 20}
TILE_BYTES_ACCELERATOR = 256 << 20
# Least number of queries in a tile, even where it then exceeds its bytes: with fewer, reading all keys costs more than
# multiplying by them.
MIN_ROWS = 256

# PyTorch's fused attention on a CPU, as `scaled_dot_product_attention` calls it; this form returns the log-sum-exp as well.
# It is private: where a release has no such operator, the tiles below do the work.
FUSED_CPU: Callable[..., tuple[Tensor, Tensor]] | None = getattr(
    torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None
)
# Devices whose fused attention takes a wider bias than its operands, and the bytes of bias that a call takes there.
FUSED_BYTES = {"cpu": 8 << 20}
# Least number of queries per fused call: from 768 on it uses blocks of 256, and packs the keys again for every call.
FUSED_ROWS = 1024


def tile_bytes(device: torch.device) -> int:
    """Bytes of logits that one tile may take on `device`."""
    return TILE_BYTES.get(device.type, TILE_BYTES_ACCELERATOR)


def tiles(groups: int, tokens: int, item_bytes: int, budget: int, min_rows: int) -> Iterator[tuple[slice, slice]]:
    """Slices over (batch x heads, queries) whose N columns fit `budget` bytes: whole heads where several fit, else rows of one.

    At least about `min_rows` rows, even where they take more.
    """
    row = tokens * item_bytes
    if tokens * row <= budget:
        yield from ((group, slice(0, tokens)) for group in pieces(groups, budget // (tokens * row)))
        return
    for group in range(groups):
        for part in pieces(tokens, max(min_rows, budget // row)):
            yield slice(group, group + 1), part


def pieces(size: int, largest: int) -> Iterator[slice]:
    """Split `size` into the fewest equal pieces of at most `largest`, so that the last one is not a sliver."""
    count = -(-size // max(1, largest))
    step = -(-size // count)
    return (slice(start, min(start + step, size)) for start in range(0, size, step))


class Tiles:
    """The operands of one call, flattened over batch and heads, and the buffers that all its tiles share."""

    def __init__(self, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> None:
        self.working = working_dtype(q.dtype)
        self.low = self.working != q.dtype
        # Contiguous, since heads usually are slices of one projection, and multiplying slices is slower.
        self.q, self.k, self.v = (t.flatten(0, 1).contiguous() for t in (q, k, v))
        self.rows, self.cols = (t.flatten(0, 1).to(self.working) for t in (rows, cols))
        self.scale = scale
        if self.low:
            # Centred and scaled in float32 and rounded once: see the module's docstring.
            keys = self.k.to(self.working)
            self.k = ((keys - keys.mean(1, keepdim=True)) * scale).to(k.dtype)
        self.groups, self.tokens, self.head_dim = self.q.shape
        self.height, self.width = rows.shape[-1], cols.shape[-1]
        self.parts = list(tiles(self.groups, self.tokens, self.working.itemsize, tile_bytes(q.device), MIN_ROWS))
        group, part = self.parts[0]
        largest = (group.stop - group.start) * (part.stop - part.start) * self.tokens
        self.buffer = torch.empty(largest, dtype=self.working, device=q.device)
        self.low_buffer = torch.empty(largest, dtype=q.dtype, device=q.device) if self.low else self.buffer

    def probabilities(self, group: slice, part: slice) -> Tensor:
        """Attention of one tile, (g, t, N), in the dtype of q; a view of a shared buffer."""
        shape = (group.stop - group.start, part.stop - part.start, self.tokens)
        size = shape[0] * shape[1] * shape[2]
        logits = self.buffer[:size].view(shape)
        by_key = logits.view(*shape[:2], self.height, self.width)
        rows, cols = self.rows[group, part, :, None], self.cols[group, part, None, :]
        queries, keys = self.q[group, part], self.k[group].transpose(1, 2)
        if self.low:
            low = matmul(queries, keys, self.low_buffer[:size].view(shape))
            # One dtype per operation: adding bfloat16 to float32 would go through a copy of its own.
            logits.copy_(low)
            by_key.add_(rows).add_(cols)
            torch.softmax(logits, -1, out=logits)
            return low.copy_(logits)
        torch.add(rows, cols, out=by_key)
        if shape[0] == 1:
            logits[0].addmm_(queries[0], keys[0], alpha=self.scale)
        else:
            logits.baddbmm_(queries, keys, alpha=self.scale)
        return torch.softmax(logits, -1, out=logits)


def matmul(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Batched matrix multiplication into `out`; a batch of one goes through `mm`, which CPU libraries run much faster."""
    if a.shape[0] == 1:
        torch.mm(a[0], b[0], out=out[0])
    else:
        torch.bmm(a, b, out=out)
    return out


def forward(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    flat = out.flatten(0, 1)
    if FUSED_CPU is not None and q.device.type in FUSED_BYTES:
        q, k, v, rows, cols = (t.flatten(0, 1) for t in (q, k, v, rows, cols))
        fused_forward(flat, q, k, v, rows, cols, scale)
        return out
    work = Tiles(q, k, v, rows, cols, scale)
    for group, part in work.parts:
        matmul(work.probabilities(group, part), work.v[group], flat[group, part])
    return out


def fused_forward(out: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> None:
    """Into `out`, `(groups, N, d)`. Operands are views, of which nothing is copied."""
    working = working_dtype(q.dtype)
    groups, tokens, height, width = *q.shape[:2], rows.shape[-1], cols.shape[-1]
    budget = FUSED_BYTES[q.device.type]
    buffer = torch.empty(0, dtype=working, device=q.device)
    for group, part in tiles(groups, tokens, working.itemsize, budget, FUSED_ROWS):
        by_row, by_col = (t[group, part].to(working) for t in (rows, cols))
        grid_row = by_col.numel() * working.itemsize
        blocks = []
        for block in pieces(height, budget // grid_row):
            bias = buffer.resize_(*by_col.shape[:2], block.stop - block.start, width)
            torch.add(by_row[..., block, None], by_col[..., None, :], out=bias)
            keys = slice(block.start * width, block.stop * width)
            blocks.append(fused(q[group, part], k[group, keys], v[group, keys], bias.flatten(-2), scale))
        out[group, part] = blocks[0][0] if len(blocks) == 1 else merge(blocks)


def fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of `(g, t, d)` over some keys, and the log-sum-exp of the logits, `(g, t)`."""
    q, k, v = (t if t.stride(-1) == 1 else t.contiguous() for t in (q, k, v))
    assert FUSED_CPU is not None
    out, lse = FUSED_CPU(q[None], k[None], v[None], attn_mask=bias[None], scale=scale)
    return out[0], lse[0]


def merge(blocks: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Attention over all keys from the outputs over blocks of them and their log-sum-exps."""
    outputs, lse = (torch.stack(tensors) for tensors in zip(*blocks, strict=True))
    return (outputs * lse.softmax(0)[..., None]).sum(0)


def backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of q, k, v, rows and cols. With p the probabilities and dp = grad v^T, the logits get p (dp - sum(p dp))."""
    work = Tiles(q, k, v, rows, cols, scale)
    like = [torch.zeros_like(t, memory_format=torch.contiguous_format).flatten(0, 1) for t in (q, rows, cols)]
    dq, drows, dcols = like
    # Keys and values gather over all tiles: in the working dtype, so that low precision does not round at every tile.
    dk, dv = (torch.zeros_like(work.q, dtype=work.working, memory_format=torch.contiguous_format) for _ in range(2))
    out_grad, keys = grad.flatten(0, 1), k.flatten(0, 1)
    for group, part in work.parts:
        p = work.probabilities(group, part)
        g = out_grad[group, part]
        dv[group] += torch.bmm(p.transpose(1, 2), g)
        dp = torch.bmm(g, work.v[group].transpose(1, 2)).to(work.working)
        wide = p.to(work.working)
        dlogits = dp.sub_((dp * wide).sum(-1, keepdim=True)).mul_(wide)
        by_key = dlogits.unflatten(-1, (work.height, work.width))
        drows[group, part] = by_key.sum(-1).to(drows.dtype)
        dcols[group, part] = by_key.sum(-2).to(dcols.dtype)
        narrow = dlogits.to(q.dtype)
        dq[group, part] = torch.bmm(narrow, keys[group]).mul_(scale)
        dk[group] += torch.bmm(narrow.transpose(1, 2), work.q[group, part])
    return (
        dq.view_as(q),
        dk.mul_(scale).to(k.dtype).view_as(k),
        dv.to(v.dtype).view_as(v),
        drows.view_as(rows),
        dcols.view_as(cols),
    )
