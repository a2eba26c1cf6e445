"""The eager twin: attention with a separable bias, written as the formula reads. It makes the N x N tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from basam.attention.operands import check_bias, check_operands


def eager_attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """softmax(scale * q.k + rows + cols) v, all in at least float32. Shapes and errors as in `separable_attention`."""
    check_operands(q, k, v, scale)
    check_bias(q, rows, cols)
    working = torch.promote_types(q.dtype, torch.float32)
    bias = rows.to(working)[..., :, None] + cols.to(working)[..., None, :]  # (B, heads, N, H, W)
    logits = scale * (q.to(working) @ k.to(working).transpose(-2, -1)) + bias.flatten(-2)
    return (logits.softmax(-1) @ v.to(working)).to(q.dtype)
