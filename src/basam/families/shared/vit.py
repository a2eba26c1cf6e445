"""Common parts of the image encoders of all families: corrected attention over the grid, positions for any grid."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from basam.attention import fast_products, grid_attention
from basam.families.attachment import Replaced
from basam.families.shared.position_cache import cached_table
from basam.positions import extent, neighborhood_table, relative_table, resample_absolute


class ReplacedEncoder(Replaced, nn.Module):
    """The image encoder, whose low-precision multiplications run at float32 speed on CPUs without instructions for them."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        with fast_products(next(self.parameters())):
            return super().forward(*args, **kwargs)


class AnySizePositions(ReplacedEncoder):
    """Upstream adds `self.pos_embed` after the patch embedding: here it is the table of the present grid."""

    @property
    def pos_embed(self) -> Tensor | None:
        table = self._parameters.get("pos_embed")
        if table is None:
            return None
        grid, aspect = self.basam.grid, self.basam.aspect
        return cached_table(table, (grid, aspect), lambda: resample_absolute(table, *grid, aspect))


class GridAttention(Replaced, nn.Module):
    """Attention over the whole grid with factor, relative positions and mask."""

    scale: float
    use_rel_pos: bool
    rel_pos_h: Tensor
    rel_pos_w: Tensor
    basam_layer: int  # number of the global layer, from 0; set by `attach`

    def attend_grid(self, qkv: Tensor) -> Tensor:
        """`(B, H, W, 3, heads, d)` to `(B, H, W, heads * d)`."""
        basam, grid = self.basam, (qkv.shape[1], qkv.shape[2])
        window = basam.mode.window(grid, basam.geometry.trained_side)
        slopes = basam.mask_slopes(qkv.shape[4], self.basam_layer, qkv.device)
        tables = self.tables(grid, window, qkv.dtype)
        return grid_attention(qkv, scale=self.scale * basam.factor, tables=tables, slopes=slopes, window=window)

    def tables(self, grid: tuple[int, int], window: tuple[int, int], dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Relative positions of queries and the keys of their windows along both axes, `(H, h, d)` and `(W, w, d)`.

        None if the model has none.
        """
        if not self.use_rel_pos:
            return None
        (height, width), (whole_height, whole_width) = grid, extent(*grid, self.basam.aspect)
        # A window smaller than the grid: distances along both axes are those of training, whatever the shape of the grid.
        near_height, near_width = (0, 0) if window == grid else window
        return (
            self.axis_table(self.rel_pos_h, height, near_height, whole_height, dtype),
            self.axis_table(self.rel_pos_w, width, near_width, whole_width, dtype),
        )

    def axis_table(self, trained: Tensor, length: int, window: int, whole: int, dtype: torch.dtype) -> Tensor:
        """Along one axis; `window` 0: all of its `length` keys, at the positions of an axis of `whole`."""

        def make() -> Tensor:
            if window:
                return neighborhood_table(trained, length, window).to(dtype)
            return relative_table(trained, length, whole).to(dtype)

        return cached_table(trained, (length, window, whole, dtype), make)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, N, d) to (B, N, heads * d)."""
    return x.transpose(1, 2).flatten(2)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of `(B, C, H, W)`."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def neck(width: int, channels: int) -> nn.Sequential:
    """`(B, width, H, W)` to `(B, channels, H, W)`; parameters are named as in the published files."""
    return nn.Sequential(
        nn.Conv2d(width, channels, kernel_size=1, bias=False),
        ChannelNorm(channels),
        nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
        ChannelNorm(channels),
    )
