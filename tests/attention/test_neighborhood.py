"""Neighborhood attention: the dense reference beside full attention, and the blocks beside the reference."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from basam.attention import cpu_neighborhood, eager_attention, eager_neighborhood, neighborhood_attention, separable_attention
from basam.errors import InputError

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


@pytest.fixture(params=["whole", "pieces"])
def budget(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks as they are on grids this small, and cut into pieces of a head and a few rows as on large ones."""
    if request.param == "pieces":
        monkeypatch.setattr(cpu_neighborhood, "BIAS_BYTES", 1)
        monkeypatch.setattr(cpu_neighborhood, "LEAST_QUERIES", 8)


@pytest.mark.parametrize(("height", "width", "window"), GRIDS)
@pytest.mark.parametrize("block", [3, 16])
def test_blocks_equal_the_reference_forward_and_backward(
    monkeypatch: pytest.MonkeyPatch, budget: None, height: int, width: int, window: tuple[int, int], block: int
) -> None:
    monkeypatch.setattr(cpu_neighborhood, "BLOCK", block)
    cpu_neighborhood.spans.cache_clear()
    sizes = ((height, width), window, 0.3)
    ours, theirs = ([t.requires_grad_() for t in case(*sizes[:2])] for _ in range(2))
    weight = torch.randn_like(ours[0])
    out, wanted = neighborhood_attention(*ours, *sizes), eager_neighborhood(*theirs, *sizes)
    torch.testing.assert_close(out, wanted)
    (out * weight).sum().backward()
    (wanted * weight).sum().backward()
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, reference.grad)
    cpu_neighborhood.spans.cache_clear()


# Largest errors with these operands, on values up to 2.9: 1e-6, 5e-3 and 7e-4.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 4e-6), (torch.bfloat16, 1.2e-2), (torch.float16, 2e-3)])
@pytest.mark.parametrize(("height", "width", "window"), [(27, 31, (8, 8)), (40, 21, (16, 16))])
def test_low_precision_rounds_operands_only(
    dtype: torch.dtype, tolerance: float, height: int, width: int, window: tuple[int, int]
) -> None:
    tensors = case((height, width), window, dtype)
    with torch.no_grad():
        out = neighborhood_attention(*tensors, (height, width), window, 0.3)
    wanted = eager_neighborhood(*(t.double() for t in tensors), (height, width), window, 0.3)
    assert out.dtype == dtype
    assert (out.double() - wanted).abs().max() <= tolerance


def test_results_are_the_same_every_time() -> None:
    sizes = ((27, 31), (8, 8), 0.3)
    runs = []
    for _ in range(2):
        tensors = [t.requires_grad_() for t in case(*sizes[:2], torch.float32)]
        out = neighborhood_attention(*tensors, *sizes)
        out.square().sum().backward()
        runs.append([out, *(t.grad for t in tensors)])
    assert all(torch.equal(first, second) for first, second in zip(*runs, strict=True))


def test_a_window_as_large_as_the_grid_is_plain_attention_bit_for_bit() -> None:
    tensors = case((9, 12), (9, 12), torch.float32)
    assert torch.equal(neighborhood_attention(*tensors, (9, 12), (9, 12), 0.3), separable_attention(*tensors, scale=0.3))


def test_compiled_without_a_graph_break() -> None:
    sizes = ((9, 12), (4, 4), 0.3)
    compiled = torch.compile(lambda *t: neighborhood_attention(*t, *sizes), fullgraph=True, backend="aot_eager")
    ours, theirs = ([t.requires_grad_() for t in case(*sizes[:2], torch.float32)] for _ in range(2))
    out, wanted = compiled(*ours), eager_neighborhood(*theirs, *sizes)
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)
    out.square().sum().backward()
    wanted.square().sum().backward()
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, reference.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [(5, 4), (0, 4), (4, 3)])
def test_a_window_larger_than_the_grid_or_other_than_the_bias_is_an_error(window: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="window"):
        neighborhood_attention(*case((4, 6), (4, 4)), (4, 6), window, 0.3)
