import pytest
import torch
import torch.nn.functional as F

from basam.positions import (
    extent,
    image_wide_coordinates,
    mask_table,
    relative_table,
    resample_absolute,
    resize_relative,
    rotary_coordinates,
    rotary_tables,
    rotate,
)


def test_relative_index_of_a_small_table_by_hand():
    table = torch.tensor([[-2.0], [-1.0], [0.0], [1.0], [2.0]])  # 3 patches: row 2 + (i - j)
    assert relative_table(table, 3, 3)[..., 0].tolist() == [[0, -1, -2], [1, 0, -1], [2, 1, 0]]


def test_interpolate_stretches_the_range_by_hand():
    table = torch.tensor([[0.0], [2.0], [4.0]])
    # 3 to 7 rows, half-pixel centres: (i + 0.5) * 3 / 7 - 0.5, clamped to the ends.
    expected = [min(4.0, max(0.0, 2 * ((i + 0.5) * 3 / 7 - 0.5))) for i in range(7)]
    assert resize_relative(table, 4)[:, 0].tolist() == pytest.approx(expected)


def test_the_trained_size_is_returned_as_it_is():
    table = torch.randn(9, 4)
    assert resize_relative(table, 5) is table
    absolute = torch.randn(1, 5, 5, 3)
    assert torch.equal(resample_absolute(absolute, 5, 5), absolute)


def test_grids_that_are_not_square_are_crops_of_the_square():
    table = torch.randn(9, 4)
    square = relative_table(table, 7, 7)
    assert torch.equal(relative_table(table, 3, 7), square[:3, :3])
    absolute = torch.randn(1, 4, 4, 2)
    assert torch.equal(resample_absolute(absolute, 3, 7), resample_absolute(absolute, 7, 7)[:, :3])
    assert torch.equal(image_wide_coordinates(3, 7), image_wide_coordinates(7, 7)[:3])


def test_axes_by_themselves_are_stretched_over_each_side():
    assert extent(3, 7, "axes") == (3, 7)
    assert extent(3, 7, "square") == (7, 7)
    absolute = torch.randn(1, 4, 4, 2)
    expected = F.interpolate(absolute.permute(0, 3, 1, 2), (3, 7), mode="bicubic").permute(0, 2, 3, 1)
    assert torch.equal(resample_absolute(absolute, 3, 7, "axes"), expected)
    assert torch.equal(resample_absolute(absolute, 7, 7, "axes"), resample_absolute(absolute, 7, 7))
    assert image_wide_coordinates(1, 2, aspect="axes").tolist() == [[[0.25, 0.5], [0.75, 0.5]]]


def test_absolute_positions_are_bicubic_in_float32():
    table = torch.randn(1, 4, 4, 3, dtype=torch.bfloat16)
    expected = F.interpolate(table.float().permute(0, 3, 1, 2), (6, 6), mode="bicubic").permute(0, 2, 3, 1)
    out = resample_absolute(table, 6, 6)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, expected.bfloat16())


def test_mask_table_by_hand():
    assert mask_table(3, torch.tensor([0.5, 2.0]), 3).tolist() == [
        [[0, -0.5, -1], [-0.5, 0, -0.5], [-1, -0.5, 0]],
        [[0, -2, -4], [-2, 0, -2], [-4, -2, 0]],
    ]


def test_image_wide_coordinates_by_hand():
    # 1 x 2 grid: the square of the long side has 2 x 2 patches of half its side.
    assert image_wide_coordinates(1, 2).tolist() == [[[0.25, 0.25], [0.75, 0.25]]]


def test_tables_pass_gradients():
    table = torch.randn(5, 2, requires_grad=True)
    relative_table(table, 4, 5).sum().backward()
    assert table.grad.abs().sum() > 0


def test_rotary_positions_by_hand():
    # Trained: 4 patches over 2 steps. A grid of 2 x 8.
    rows, columns = rotary_coordinates(2, 8, 2, (8, 8))
    assert (rows.tolist(), columns.tolist()) == ([0, 0.25], [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75])
    rows, columns = rotary_coordinates(2, 8, 2, (2, 8))
    assert (rows.tolist(), columns[-1].item()) == ([0, 1], 1.75)
    rows, columns = rotary_coordinates(2, 8, 2, (4, 4))
    assert (rows.tolist(), columns[-1].item()) == ([0, 0.5], 3.5)


def test_turned_queries_and_keys_know_their_distance_only():
    tables = rotary_tables(torch.arange(5) * 0.5, torch.arange(6) * 0.5, 8, 100.0)
    assert tables[0].shape == (5, 6, 8)
    q, k = (rotate(torch.randn(8).expand(5, 6, 8), *tables) for _ in range(2))
    torch.testing.assert_close(q.norm(dim=-1), q[0, 0].norm().expand(5, 6))
    torch.testing.assert_close(q[1, 2] @ k[3, 1], q[2, 5] @ k[4, 4])
    assert abs(q[1, 2] @ k[3, 1] - q[1, 2] @ k[3, 2]) > 1e-4
    assert rotate(torch.ones(5, 6, 8, dtype=torch.bfloat16), *tables).dtype == torch.bfloat16
