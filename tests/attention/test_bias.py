"""Attention with SAM's own terms in low precision: bias and softmax are float32, so only operands are rounded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from basam.attention import separable_bias
from basam.attention.dispatch import attend
from basam.positions import mask_table

SCALE = 0.25
GRID = (12, 20)


def operands(dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """q, k, v and both tables as `dtype` holds them, and slopes that make a bias of up to 60 logits."""
    generator = torch.Generator().manual_seed(0)
    (height, width), dim = GRID, 16
    shapes = [*[(1, 2, height * width, dim)] * 3, (height, height, dim), (width, width, dim)]
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes], torch.tensor([2.0, 0.7])


def dense(tensors: list[Tensor], slopes: Tensor) -> Tensor:
    """The same in float64 with an N x N matrix of logits."""
    q, k, v, table_h, table_w = (tensor.double() for tensor in tensors)
    height, width = GRID
    grid = q.unflatten(2, (height, width))
    rows = torch.einsum("bnhwd,hkd->bnhwk", grid, table_h) + mask_table(height, slopes.double(), height)[:, :, None, :]
    cols = torch.einsum("bnhwd,wkd->bnhwk", grid, table_w) + mask_table(width, slopes.double(), width)[:, None, :, :]
    bias = (rows[..., :, None] + cols[..., None, :]).flatten(4).flatten(2, 3)
    return (SCALE * q @ k.transpose(-1, -2) + bias).softmax(-1) @ v


def related(tensors: list[Tensor], slopes: Tensor) -> Tensor:
    q, k, v, table_h, table_w = tensors
    return attend(q, k, v, GRID, GRID, (table_h, table_w), slopes, SCALE)


# Measured with these operands on values up to 3.2: float32 2e-6, bfloat16 7.7e-3, float16 9.6e-4. A bias rounded to bfloat16
# is off by up to 0.25 logits, and the result by 0.17.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-6), (torch.bfloat16, 1.2e-2), (torch.float16, 2e-3)])
def test_the_error_is_that_of_rounding_operands(dtype, tolerance):
    tensors, slopes = operands(dtype)
    with torch.no_grad():
        out = related(tensors, slopes)
    assert out.dtype == dtype
    assert (out.double() - dense(tensors, slopes)).abs().max() <= tolerance


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_the_bias_is_float32_or_better(dtype):
    (q, _, _, table_h, table_w), slopes = operands(dtype)
    rows, cols = separable_bias(q, GRID, GRID, (table_h, table_w), slopes)
    assert rows.dtype == cols.dtype == torch.promote_types(dtype, torch.float32)


def test_heads_one_by_one_are_the_same_heads(monkeypatch):
    tensors, slopes = operands(torch.float32)
    with torch.no_grad():
        whole = related(tensors, slopes)
        monkeypatch.setattr("basam.attention.dispatch.BIAS_BYTES", 1)
        assert (related(tensors, slopes) - whole).abs().max() <= 1e-6


@pytest.mark.parametrize("grad", [False, True])
def test_the_mask_alone_is_what_zero_tables_give(monkeypatch, grad):
    q, k, v = torch.randn(3, 2, 3, 12, 8)
    slopes = torch.tensor([0.2, 0.5, 1.0])
    i = torch.arange(12)
    distance = (i[:, None] // 4 - i // 4).abs() + (i[:, None] % 4 - i % 4).abs()
    expected = (0.3 * q @ k.mT - slopes[:, None, None] * distance).softmax(-1) @ v
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(attend(q, k, v, (3, 4), (3, 4), None, slopes, 0.3), expected)
        monkeypatch.setattr("basam.attention.dispatch.BIAS_BYTES", 1)  # a head at a time
        torch.testing.assert_close(attend(q, k, v, (3, 4), (3, 4), None, slopes, 0.3), expected)
