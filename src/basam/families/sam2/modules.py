"""Replacements for `transformers`' SAM 2.

What is replaced, and why:
- vision encoder: takes any size whose sides are multiples of 32 px, and notes the grid;
- Hiera: its positions follow the aspect rule (stretched over each axis, as upstream does, or cropped from a square);
- global attention: factor and mask; without a mask it is PyTorch's fused attention. Blocks with windows stay upstream's;
- the neck's sine encodings, which images never use, are not built: a quarter of a gigabyte at 2048 px;
- prompt encoder, its encoding and the model: sizes that upstream fixes follow the grid.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.models.sam2 import modeling_sam2 as sam2

from basam.families.attachment import Replaced
from basam.families.sam2.sizes import geometry
from basam.families.shared import (
    AnySizeEncoding,
    AnySizePrompts,
    AnySizePyramid,
    AnySizeVision,
    GridAttention,
    NoEncodings,
    pyramid_files,
    pyramid_replacements,
)
from basam.positions import extent


class Sam2Hiera(Replaced, sam2.Sam2HieraDetModel):
    """Hiera adds a small table, stretched over the grid, and a table of a window, repeated."""

    def _get_pos_embed(self, hw: tuple[int, int]) -> Tensor:
        height, width = hw
        return super()._get_pos_embed(extent(height, width, self.basam.aspect))[:, :height, :width]


class Sam2GlobalAttention(GridAttention, sam2.Sam2MultiScaleAttention):
    """The attention of a global block."""

    qkv: nn.Module
    proj: nn.Module
    num_attention_heads: int
    use_rel_pos = False

    def forward(self, hidden_states: Tensor, **kwargs: object) -> Tensor:
        return self.proj(self.attend_grid(self.qkv(hidden_states).unflatten(-1, (3, self.num_attention_heads, -1))))


class Sam2Vision(AnySizeVision, sam2.Sam2VisionModel): ...


class Sam2Encodings(NoEncodings, sam2.Sam2SinePositionEmbedding): ...


class Sam2Prompts(AnySizePrompts, sam2.Sam2PromptEncoder): ...


class Sam2Encoding(AnySizeEncoding, sam2.Sam2PositionalEmbedding): ...


# `save_pretrained` writes the name of the class into config.json: it has to be upstream's.
class Sam2Model(AnySizePyramid, sam2.Sam2Model): ...


REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    replacement.__bases__[1]: replacement
    for replacement in (Sam2Hiera, Sam2Vision, Sam2Encodings, Sam2Prompts, Sam2Encoding, Sam2Model)
}


def replacements(model: nn.Module, count: int) -> list[tuple[nn.Module, type[nn.Module]]]:
    """Every module of a SAM 2 with its replacement class; `count` global layers."""
    return pyramid_replacements(model, REPLACEMENTS, Sam2GlobalAttention, "vision_encoder.backbone.blocks", "attn", count)


def build(config: dict[str, Any]) -> nn.Module:
    """A `Sam2Model` from a configuration, without its parts for videos."""
    model = sam2.Sam2Model(sam2.Sam2Config(**pyramid_files.plain_config(config)))
    geometry(model.config)
    return model
