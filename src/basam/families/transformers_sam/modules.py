"""Replacements for `transformers`' SAM and SAM-HQ.

What is replaced, and why:
- patch embedding: takes any size that is a multiple of the patch, and notes the grid;
- encoder: resamples its absolute positions to the grid;
- attention and its layer: the corrected logits without an N x N tensor; windows are cut after the projection, or by the kernel;
- prompt encoder, its encoding and the model: dense prompts, point coordinates and the image-wide encoding follow the grid.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from transformers.models.sam import modeling_sam as sam
from transformers.models.sam_hq import modeling_sam_hq as sam_hq

from basam.attention import grid_attention
from basam.families.attachment import Replaced, class_replacements, global_replacements
from basam.families.shared import (
    AnySizeEncoding,
    AnySizeModel,
    AnySizePositions,
    AnySizePrompts,
    GridAttention,
    SamEncoding,
    SamPrompts,
    SavedWithMode,
    by_bands,
    in_pieces,
    share_recording,
)

# Tokens per pass through an MLP, so that its hidden activations stay in the CPU's cache.
MLP_TOKENS = 1024


class AnySizePatches(Replaced, nn.Module):
    """Upstream compares the input with `image_size`: here that is the present input's size."""

    @property
    def image_size(self) -> tuple[int, int]:
        height, width = self.basam.grid
        return height * self.basam.geometry.patch, width * self.basam.geometry.patch

    def forward(self, pixel_values: Tensor) -> Tensor:
        self.basam.fit(pixel_values)
        return super().forward(pixel_values).contiguous()  # channels last, as used by every layer


class CorrectedAttention(GridAttention):
    """Attention over the whole grid as corrected, or inside windows as trained."""

    qkv: nn.Linear
    proj: nn.Linear
    num_attention_heads: int

    def forward(self, hidden_states: Tensor, window_size: int = 0) -> tuple[Tensor, None]:
        if window_size:
            return by_bands(partial(self.attend_windows, window=window_size), hidden_states, window_size), None
        return self.proj(self.attend_grid(self.project(hidden_states))), None

    def project(self, hidden_states: Tensor) -> Tensor:
        return self.qkv(hidden_states).unflatten(-1, (3, self.num_attention_heads, -1))  # (B, H, W, 3, heads, d)

    def attend_windows(self, hidden_states: Tensor, window: int) -> Tensor:
        bias, projected = self.qkv.bias, self.project(hidden_states)
        fill = None if bias is None else bias.view(3, self.num_attention_heads, -1)
        tables = self.tables((window, window), (window, window), projected.dtype)
        return self.proj(grid_attention(projected, scale=self.scale, tables=tables, partition=window, fill=fill))


class CorrectedLayer(Replaced, nn.Module):
    """Leaves windows to the attention, and runs the MLP in pieces if `in_pieces` is set."""

    layer_norm1: nn.Module
    layer_norm2: nn.Module
    attn: nn.Module
    mlp: nn.Module
    window_size: int

    def forward(self, hidden_states: Tensor) -> Tensor:
        hidden_states = hidden_states + self.attn(self.layer_norm1(hidden_states), window_size=self.window_size)[0]
        if not in_pieces(hidden_states):
            return hidden_states + self.mlp(self.layer_norm2(hidden_states))
        tokens = hidden_states.contiguous().flatten(0, 2)
        for piece in tokens.split(MLP_TOKENS):
            piece += self.mlp(self.layer_norm2(piece))
        return tokens.view(hidden_states.shape)


class SamPatches(AnySizePatches, sam.SamPatchEmbeddings): ...


class SamAttention(CorrectedAttention, sam.SamVisionAttention): ...


class SamLayer(CorrectedLayer, sam.SamVisionLayer): ...


class SamEncoder(AnySizePositions, sam.SamVisionEncoder): ...


# `save_pretrained` writes the name of the class into config.json: it has to be upstream's.
class SamModel(AnySizeModel, sam.SamModel): ...


class SamVisionModel(SavedWithMode, sam.SamVisionModel): ...


class SamHQPatches(AnySizePatches, sam_hq.SamHQPatchEmbeddings): ...


class SamHQAttention(CorrectedAttention, sam_hq.SamHQVisionAttention): ...


class SamHQLayer(CorrectedLayer, sam_hq.SamHQVisionLayer): ...


class SamHQEncoder(AnySizePositions, sam_hq.SamHQVisionEncoder): ...


class SamHQPrompts(AnySizePrompts, sam_hq.SamHQPromptEncoder): ...


class SamHQEncoding(AnySizeEncoding, sam_hq.SamHQPositionalEmbedding): ...


class SamHQModel(AnySizeModel, sam_hq.SamHQModel): ...


class SamHQVisionModel(SavedWithMode, sam_hq.SamHQVisionModel): ...


ATTENTIONS: dict[type[nn.Module], type[nn.Module]] = {
    sam.SamVisionAttention: SamAttention,
    sam.SamVisionSdpaAttention: SamAttention,
    sam_hq.SamHQVisionAttention: SamHQAttention,
    sam_hq.SamHQVisionSdpaAttention: SamHQAttention,
}


REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    base: replacement
    for replacement in (
        *(SamPatches, SamLayer, SamEncoder, SamPrompts, SamEncoding, SamModel, SamVisionModel),
        *(SamHQPatches, SamHQLayer, SamHQEncoder, SamHQPrompts, SamHQEncoding, SamHQModel, SamHQVisionModel),
    )
    for base in (replacement.__bases__[1],)
} | ATTENTIONS


def replacements(model: nn.Module, count: int) -> list[tuple[nn.Module, type[nn.Module]]]:
    """Every module of a SAM of `transformers` with its replacement class; `count` global layers."""
    encoder: Any = model.get_submodule("vision_encoder")
    global_replacements(encoder.layers, "attn", ATTENTIONS, count)
    pairs = class_replacements(model, REPLACEMENTS)
    share_recording(pairs)
    return pairs
