"""What the plain vision transformers of all families share: corrected attention over the grid, positions for any grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from basam.attention import grid_attention
from basam.families.attachment import Replaced, ReplacedEncoder
from basam.families.shared.position_cache import cached_table
from basam.positions import extent, relative_table, resample_absolute


class AnySizePositions(ReplacedEncoder):
    """Upstream adds `self.pos_embed` after the patch embedding: the table of the present grid here."""

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
    basam_layer: int  # which of the global layers this is, counted from 0; `attach` says so

    def attend_grid(self, qkv: Tensor) -> Tensor:
        """`(B, H, W, 3, heads, d)` to `(B, H, W, heads * d)`."""
        slopes = self.basam.mask_slopes(qkv.shape[4], self.basam_layer, qkv.device)
        tables = self.tables(qkv.shape[1], qkv.shape[2], qkv.dtype)
        return grid_attention(qkv, scale=self.scale * self.basam.factor, tables=tables, slopes=slopes)

    def tables(self, height: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Relative positions along both axes, `(H, H, d)` and `(W, W, d)`; None where there are none."""
        if not self.use_rel_pos:
            return None
        whole_height, whole_width = extent(height, width, self.basam.aspect)
        return (
            self.table_of(self.rel_pos_h, height, whole_height, dtype),
            self.table_of(self.rel_pos_w, width, whole_width, dtype),
        )

    def table_of(self, trained: Tensor, length: int, whole: int, dtype: torch.dtype) -> Tensor:
        positions = self.basam.mode.positions
        key = (length, whole, positions, dtype)
        return cached_table(trained, key, lambda: relative_table(trained, length, whole, positions).to(dtype))


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
