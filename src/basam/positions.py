"""Position tables for a grid of any size and shape: pure functions from trained tables to the present grid.

Two rules for grids that are not square (`BiasMode.aspect`). `square`: a table is made for the *square of the long side* and
cropped to the grid. SAM 1 was trained on images padded to a square, with positions normalised by that square; this is the same
geometry without the padding. `axes`: a table is stretched along both axes independently, as for images squashed to a square
(SAM 2).

Relative tables have 2 S - 1 rows, row S - 1 + (i - j) for a query at i and a key at j, as in SAM and MViTv2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.method import Aspect


def extent(height: int, width: int, aspect: Aspect) -> tuple[int, int]:
    """Height and width that positions of a grid are normalised by, in patches: its own, or its long side twice."""
    return (height, width) if aspect == "axes" else (max(height, width), max(height, width))


def resample_absolute(table: Tensor, height: int, width: int, aspect: Aspect = "square") -> Tensor:
    """Absolute position embeddings for a grid: `(1, S, S, C)` to `(1, height, width, C)`, in the dtype of `table`.

    Bicubic resampling (computed in float32) to the `extent` of the grid, then the crop. The trained size is returned
    as it is.
    """
    size = extent(height, width, aspect)
    if tuple(table.shape[1:3]) != size:
        working = table.permute(0, 3, 1, 2).to(torch.promote_types(table.dtype, torch.float32))
        resized = F.interpolate(working, size=size, mode="bicubic", align_corners=False)
        table = resized.permute(0, 2, 3, 1).to(table.dtype)
    return table[:, :height, :width]


def resize_relative(table: Tensor, side: int) -> Tensor:
    """A relative position table for an axis of `side` patches: `(2 S - 1, d)` to `(2 side - 1, d)`.

    The trained range is stretched or squeezed over the new one, linearly (SAM's `get_rel_pos`).
    """
    if 2 * side - 1 == table.shape[0]:
        return table
    working = table.t()[None].to(torch.promote_types(table.dtype, torch.float32))
    return F.interpolate(working, size=2 * side - 1, mode="linear")[0].t().to(table.dtype)


def relative_table(table: Tensor, length: int, whole: int) -> Tensor:
    """Relative positions of every query and key along one axis: `(length, length, d)`, entry [i, j] for query i, key j.

    `length` is the grid's size along this axis, `whole` that of its `extent`: the table is made for that and cropped.
    """
    resized = resize_relative(table, whole)
    index = torch.arange(length, device=table.device)
    return resized[index[:, None] - index[None, :] + whole - 1]


def window_starts(length: int, window: int, on: torch.device | str | None = None) -> Tensor:
    """First key of the neighborhood of every query along one axis, `(length,)` int64.

    A neighborhood has `window` keys, at most `length`: those around the query, moved inside the grid at its edges.
    """
    return (torch.arange(length, device=on) - window // 2).clamp(0, length - window)


def window_keys(length: int, window: int, on: torch.device | str | None = None) -> Tensor:
    """The keys of the neighborhood of every query along one axis, `(length, window)` int64; see `window_starts`."""
    return window_starts(length, window, on)[:, None] + torch.arange(window, device=on)


def neighborhood_table(table: Tensor, length: int, window: int) -> Tensor:
    """Relative positions of every query and the keys of its window along one axis: `(length, window, d)`.

    One step per patch, as trained: `window` is at most the trained side S of `table`, `(2 S - 1, d)`.
    """
    trained = (table.shape[0] + 1) // 2
    query = torch.arange(length, device=table.device)[:, None]
    return table[query - window_keys(length, window, table.device) + trained - 1]


def mask_table(length: int, slopes: Tensor, window: int) -> Tensor:
    """The bias-mode mask along one axis, `(heads, length, window)`: `-slope_h * |i - j|` for keys j of the window of query i.

    In the dtype of `slopes`. A window of `length` is the whole axis.
    """
    query = torch.arange(length, device=slopes.device)[:, None]
    return -slopes[:, None, None] * (query - window_keys(length, window, slopes.device)).abs().to(slopes.dtype)


def image_wide_coordinates(
    height: int, width: int, device: torch.device | str | None = None, aspect: Aspect = "square"
) -> Tensor:
    """Centres of all patches as x, y in 0..1 of the `extent` of the grid: `(height, width, 2)` float32."""
    whole_height, whole_width = extent(height, width, aspect)
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / whole_height
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / whole_width
    return torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)], dim=-1)


def rotary_coordinates(height: int, width: int, span: float, whole: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rotary positions of the rows `(height,)` and the columns `(width,)` of a grid, float32.

    Positions from 0 to `span` are spread over `whole` patches along both axes: over the `extent` of the grid, or over the
    trained grid, which keeps the trained step.
    """
    return torch.arange(height) * (span / whole[0]), torch.arange(width) * (span / whole[1])


def rotary_tables(rows: Tensor, columns: Tensor, channels: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of axial rotary positions, `(H, W, channels)` float32: half the channels turn with the column, half
    with the row, in pairs of neighbours."""
    half = channels // 2
    frequencies = 1.0 / (theta ** (torch.arange(0, half, 2, dtype=torch.float) / half))
    by_row, by_column = rows[:, None, None] * frequencies, columns[None, :, None] * frequencies
    height, width = len(rows), len(columns)
    angles = torch.cat([by_column.expand(height, width, -1), by_row.expand(height, width, -1)], dim=-1)
    return angles.cos().repeat_interleave(2, dim=-1), angles.sin().repeat_interleave(2, dim=-1)


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn pairs of neighbouring channels of `x` `(..., channels)`; computed in float32, in the dtype of `x`."""
    wide = x.float()
    first, second = wide.unflatten(-1, (-1, 2)).unbind(-1)
    crossed = torch.stack((-second, first), dim=-1).flatten(-2)
    return (wide * cosines + crossed * sines).type_as(x)
