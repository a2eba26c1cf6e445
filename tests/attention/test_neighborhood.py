"""Neighborhood attention: its dense reference beside full attention with a window of -inf."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from basam.attention import eager_attention, eager_neighborhood

# Height, width, window: square and not, one side no larger than the window, odd sizes and windows, edges that meet.
GRIDS = [
    (4, 4, (4, 4)),
    (9, 9, (4, 4)),
    (5, 4, (4, 4)),
    (12, 3, (4, 3)),
    (2, 17, (2, 4)),
    (27, 31, (8, 8)),
    (19, 40, (16, 16)),
    (21, 18, (5, 5)),
    (33, 7, (7, 7)),
    (17, 16, (16, 16)),
]


def case(grid: tuple[int, int], window: tuple[int, int], dtype: torch.dtype = torch.float64, batch: int = 2) -> list[Tensor]:
    torch.manual_seed(0)
    tokens = grid[0] * grid[1]
    q, k, v = torch.randn(3, batch, 2, tokens, 8, dtype=torch.float64)
    rows, cols = (torch.randn(batch, 2, tokens, size, dtype=torch.float64) for size in window)
    return [t.to(dtype) for t in (q, k, v, rows, cols)]


def on_the_grid(bias: Tensor, grid: tuple[int, int], axis: int) -> Tensor:
    """Bias of a window `(B, heads, N, size)` as bias of all rows or columns of the grid: -inf beyond the window."""
    size, length = bias.shape[-1], grid[axis]
    out = bias.new_full((*bias.shape[:-1], length), float("-inf"))
    for token in range(bias.shape[2]):
        place = divmod(token, grid[1])[axis]
        start = min(max(place - size // 2, 0), length - size)
        out[:, :, token, start : start + size] = bias[:, :, token]
    return out


@pytest.mark.parametrize(("height", "width", "window"), GRIDS)
def test_reference_is_full_attention_with_keys_outside_the_window_left_out(
    height: int, width: int, window: tuple[int, int]
) -> None:
    grid = (height, width)
    q, k, v, rows, cols = case(grid, window)
    wide = (on_the_grid(bias, grid, axis) for axis, bias in enumerate((rows, cols)))
    torch.testing.assert_close(eager_neighborhood(q, k, v, rows, cols, grid, window, 0.3), eager_attention(q, k, v, *wide, 0.3))
