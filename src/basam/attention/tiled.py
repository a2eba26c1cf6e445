"""Exact attention with a separable bias in tiles of query rows: linear memory, forward and backward, any device.

    logits[i, (r, c)] = scale * q_i . k_(r, c) + rows[i, r] + cols[i, c]

A tile belongs to some queries and *all* keys and is small enough to stay in the cache. Small grids put many heads and images
into one tile.

On a CPU the forward pass makes the bias of a tile, in float32 or better, and hands it to PyTorch's fused attention, which takes
it beside bfloat16 and float16 operands and keeps logits and softmax in float32: only the operands and the probabilities are
rounded. Other devices' fused kernels want a mask in the dtype of q, which would round the bias; there, and in every backward
pass, a tile is the logits themselves, worked in place. The backward pass makes every tile anew instead of keeping it.

Logits of bfloat16 and float16: products run in that dtype, the bias is added and the softmax taken in float32. The keys are
centred first (subtracting their mean shifts all logits of a query alike, which softmax does not see) and scaled, so that the
rounding of the product acts on small numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# Logits of one tile. Half the last-level cache of a current CPU core complex; on an accelerator, enough work for a launch.
TILE_BYTES = {"cpu": 4 << 20}
TILE_BYTES_ACCELERATOR = 256 << 20
# Devices whose fused attention takes a wider bias than its operands, and how much of it a call takes where one head has more than
# TILE_BYTES: the kernel cuts queries by 256 and packs keys once a call, so it gains from many rows until they leave the cache.
FUSED_BYTES = {"cpu": 16 << 20}
# Queries a tile at least, whatever its bytes: with fewer, reading all the keys costs more than the products.
MIN_ROWS = 256


def tile_bytes(device: torch.device) -> int:
    """Bytes of logits that one tile may take on `device`."""
    return TILE_BYTES.get(device.type, TILE_BYTES_ACCELERATOR)


def tiles(groups: int, tokens: int, item_bytes: int, budget: int, row_budget: int) -> Iterator[tuple[slice, slice]]:
    """Slices over (batch x heads, queries): whole heads where `budget` bytes hold one, else rows of a head in `row_budget`."""
    matrix = tokens * tokens * item_bytes
    if matrix <= budget:
        step = budget // matrix
        for start in range(0, groups, step):
            yield slice(start, min(start + step, groups)), slice(0, tokens)
        return
    # Equal tiles, so that the last one is not a sliver.
    count = -(-matrix // row_budget)
    step = max(MIN_ROWS, -(-tokens // count))
    for group in range(groups):
        for start in range(0, tokens, step):
            yield slice(group, group + 1), slice(start, min(start + step, tokens))


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """What logits, bias and softmax are held in: float32 or better."""
    return torch.promote_types(dtype, torch.float32)


class Tiles:
    """The operands of one call, flattened over batch and heads, and the buffers that all its tiles share."""

    def __init__(self, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> None:
        self.working = working_dtype(q.dtype)
        self.low = self.working != q.dtype
        # Contiguous, since heads usually are slices of one projection and products of slices are slower.
        self.q, self.k, self.v = (t.flatten(0, 1).contiguous() for t in (q, k, v))
        self.rows, self.cols = (t.flatten(0, 1).to(self.working) for t in (rows, cols))
        self.scale = scale
        if self.low:
            # Centred and scaled in float32 and rounded once: see the module's docstring.
            keys = self.k.to(self.working)
            self.k = ((keys - keys.mean(1, keepdim=True)) * scale).to(k.dtype)
        self.groups, self.tokens, self.head_dim = self.q.shape
        self.height, self.width = rows.shape[-1], cols.shape[-1]
        budget = tile_bytes(q.device)
        self.parts = list(tiles(self.groups, self.tokens, self.working.itemsize, budget, budget))
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
            product = matmul(queries, keys, self.low_buffer[:size].view(shape))
            # One dtype an operation: adding bfloat16 to float32 would go through a copy of its own.
            logits.copy_(product)
            by_key.add_(rows).add_(cols)
            torch.softmax(logits, -1, out=logits)
            return product.copy_(logits)
        torch.add(rows, cols, out=by_key)
        if shape[0] == 1:
            logits[0].addmm_(queries[0], keys[0], alpha=self.scale)
        else:
            logits.baddbmm_(queries, keys, alpha=self.scale)
        return torch.softmax(logits, -1, out=logits)


def matmul(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Batched product into `out`; a batch of one goes through `mm`, which CPU libraries run much faster."""
    if a.shape[0] == 1:
        torch.mm(a[0], b[0], out=out[0])
    else:
        torch.bmm(a, b, out=out)
    return out


def forward(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    flat = out.flatten(0, 1)
    if q.device.type in FUSED_BYTES:
        fused_forward(flat, *(t.flatten(0, 1) for t in (q, k, v, rows, cols)), scale)
        return out
    work = Tiles(q, k, v, rows, cols, scale)
    for group, part in work.parts:
        matmul(work.probabilities(group, part), work.v[group], flat[group, part])
    return out


def fused_forward(out: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> None:
    """Into `out`, `(groups, N, d)`: fused attention with the bias of one tile at a time. Operands as views, without copies."""
    working = working_dtype(q.dtype)
    groups, tokens, height, width = *q.shape[:2], rows.shape[-1], cols.shape[-1]
    parts = list(tiles(groups, tokens, working.itemsize, tile_bytes(q.device), FUSED_BYTES[q.device.type]))
    group, part = parts[0]
    buffer = torch.empty((group.stop - group.start) * (part.stop - part.start) * tokens, dtype=working, device=q.device)
    for group, part in parts:
        shape = (group.stop - group.start, part.stop - part.start, tokens)
        bias = buffer[: shape[0] * shape[1] * tokens].view(shape)
        tile_rows, tile_cols = rows[group, part].to(working), cols[group, part].to(working)
        torch.add(tile_rows[..., :, None], tile_cols[..., None, :], out=bias.view(*shape[:2], height, width))
        operands = (t[None] for t in (q[group, part], k[group], v[group]))
        out[group, part] = F.scaled_dot_product_attention(*operands, attn_mask=bias[None], scale=scale)[0]


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
