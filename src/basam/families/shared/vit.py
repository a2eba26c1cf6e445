"""What the plain vision transformers of all families share: corrected attention over the grid, positions for any grid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from basam.attention import masked_attention, relative_attention
from basam.families.attachment import Replaced, ReplacedEncoder
from basam.method import Positions
from basam.positions import extent, relative_table, resample_absolute


class AnySizePositions(ReplacedEncoder):
    """Upstream adds `self.pos_embed` after the patch embedding: the table of the present grid here."""

    @property
    def pos_embed(self) -> Tensor | None:
        table = self._parameters.get("pos_embed")
        if table is None:
            return None
        grid, aspect = self.basam.grid, self.basam.aspect
        return kept(table, (grid, aspect), lambda: resample_absolute(table, *grid, aspect))


class GridAttention(Replaced, nn.Module):
    """Attention over the whole grid with factor, relative positions and mask."""

    scale: float
    use_rel_pos: bool
    rel_pos_h: Tensor
    rel_pos_w: Tensor
    basam_layer: int  # which of the global layers this is, counted from 0; `attach` says so

    def attend_grid(self, qkv: Tensor) -> Tensor:
        """`(B, H, W, 3, heads, d)` to `(B, H, W, heads * d)`."""
        batch, height, width = qkv.shape[:3]
        q, k, v = qkv.flatten(1, 2).permute(2, 0, 3, 1, 4)  # (B, heads, N, d)
        slopes = self.basam.mask_slopes(q.shape[1], self.basam_layer, q.device)
        out = self.attend(q, k, v, height, width, self.scale * self.basam.factor, slopes)
        return merge_heads(out).view(batch, height, width, -1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, height: int, width: int, scale: float, slopes: Tensor | None) -> Tensor:
        if slopes is not None:
            slopes = slopes.to(q.device, torch.promote_types(q.dtype, torch.float32))
        if not self.use_rel_pos:
            if slopes is None:
                return F.scaled_dot_product_attention(q, k, v, scale=scale)
            return masked_attention(q, k, v, height, width, slopes, scale)
        return relative_attention(q, k, v, *self.tables(q, height, width), slopes, scale)

    def tables(self, q: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Relative positions along both axes in the dtype of q, `(H, H, d)` and `(W, W, d)`; zeros where there are none."""
        if not self.use_rel_pos:
            return q.new_zeros(height, height, q.shape[-1]), q.new_zeros(width, width, q.shape[-1])
        whole_height, whole_width = extent(height, width, self.basam.aspect)
        positions = self.basam.mode.positions
        return (
            kept_table(self.rel_pos_h, height, whole_height, positions, q.dtype),
            kept_table(self.rel_pos_w, width, whole_width, positions, q.dtype),
        )


# What was made of a parameter for the present grid. On an accelerator making it takes long beside the rest: a relative table is
# six small launches, two for every layer, and bicubic resampling runs over 768 channels one by one.
MADE = WeakTensorKeyDictionary()
# Of the last grids: window and whole, of a few photographs.
MADE_KEPT = 4


def kept(parameter: Tensor, key: tuple[Any, ...], make: Callable[[], Tensor]) -> Tensor:
    """What `make` makes of a parameter, which `key` says; kept on accelerators where no gradient goes through it."""
    differentiated = torch.is_grad_enabled() and parameter.requires_grad
    if parameter.device.type in ("cpu", "meta") or differentiated or torch.compiler.is_compiling():
        return make()
    version = 0 if parameter.is_inference() else parameter._version  # tensors of inference mode are never changed
    # What was made in inference mode may not be used outside of it.
    key = (*key, parameter.dtype, parameter.data_ptr(), version, torch.is_inference_mode_enabled())
    made = MADE.setdefault(parameter, OrderedDict())
    if key not in made:
        made[key] = make()
        while len(made) > MADE_KEPT:
            made.popitem(last=False)
    return made[key]


def kept_table(parameter: Tensor, length: int, whole: int, positions: Positions, dtype: torch.dtype) -> Tensor:
    """`relative_table` in `dtype`, `(length, length, d)`."""
    key = (length, whole, positions, dtype)
    return kept(parameter, key, lambda: relative_table(parameter, length, whole, positions).to(dtype))


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
