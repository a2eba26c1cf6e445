"""Attention with a separable bias by PyTorch's fused attention, where neither the CPU's tiles nor the Triton kernels run.

The bias is rounded to the dtype of q, since fused attention on these devices wants it so. No gradients: `cpu_tiles` has them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention.cpu_tiles import pieces

# Channels of a head that flash attention takes.
FLASH_CHANNELS = 256
# Bytes of mask that one call takes: enough queries for a launch to be worth it.
MASK_BYTES = 256 << 20


def fallback_attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """As `dispatch.separable_attention`, the bias rounded to the dtype of q."""
    channels = q.shape[-1] + rows.shape[-1] + cols.shape[-1]
    if q.device.type == "cuda" and q.dtype in (torch.float16, torch.bfloat16) and channels <= FLASH_CHANNELS:
        return one_hot_attention(q, k, v, rows, cols, scale)
    return blocked_attention(q, k, v, rows, cols, scale)


def one_hot_attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """The bias as more channels of a head, d + H + W of them: q gets it, k the one-hot row and column of its place.

    So flash attention, which takes no mask, adds it. q is scaled beforehand, which rounds it once more.
    Shapes as in `separable_attention`.
    """
    height, width, head_dim = rows.shape[-1], cols.shape[-1], q.shape[-1]
    spare = -(head_dim + height + width) % 8  # flash attention wants multiples of 8
    at = torch.arange(height * width, device=q.device)
    place = torch.cat([F.one_hot(at // width, height), F.one_hot(at % width, width + spare)], -1).to(q.dtype)
    queries = torch.cat([q * scale, rows.to(q.dtype), F.pad(cols.to(q.dtype), (0, spare))], -1)
    keys = torch.cat([k, place.expand(*k.shape[:2], -1, -1)], -1)
    values = F.pad(v, (0, keys.shape[-1] - head_dim))
    return F.scaled_dot_product_attention(queries, keys, values, scale=1.0)[..., :head_dim].contiguous()


def blocked_attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """Some queries at a time, with a mask of their own: memory linear in N."""
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    batch, heads, tokens, _ = q.shape
    for part in pieces(tokens, max(64, MASK_BYTES // (batch * heads * tokens * q.element_size()))):
        bias = rows[:, :, part, :, None] + cols[:, :, part, None, :]
        mask = bias.flatten(-2).to(q.dtype)
        out[:, :, part] = F.scaled_dot_product_attention(q[:, :, part], k, v, attn_mask=mask, scale=scale)
    return out
