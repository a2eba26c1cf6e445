"""Replacements for `transformers`' tracker of SAM 3, as far as images go.

What is replaced, and why:
- vision encoder: takes any size whose sides are multiples of the patch, and notes the grid;
- global attention: rotary positions of the present grid, factor and mask. Layers with windows stay upstream's, and so do the
  absolute positions, which repeat every window;
- the neck's sine encodings, which images never use, are not built;
- prompt encoder, its encoding and the model: sizes that upstream fixes follow the grid.
"""

from __future__ import annotations

from typing import Any

import torch

# By its whole name: as an attribute of its folder, `transformers` keeps this module from those without torchvision, which
# nothing but the detector uses.
import transformers.models.sam3.modeling_sam3 as sam3
from torch import Tensor, nn
from transformers import Sam3TrackerConfig
from transformers.models.sam3_tracker import modeling_sam3_tracker as tracker

from basam.families.sam3_tracker import sizes
from basam.families.shared import (
    AnySizeEncoding,
    AnySizePrompts,
    AnySizePyramid,
    AnySizeVision,
    Checkpoint,
    GridAttention,
    NoEncodings,
    pyramid_files,
    pyramid_replacements,
    quiet,
)
from basam.positions import extent, rotary_coordinates, rotary_tables, rotate


class Sam3GlobalAttention(GridAttention, sam3.Sam3ViTRoPEAttention):
    """The attention of a global layer. Upstream passes positions of the trained grid, which are not used."""

    q_proj: nn.Module
    k_proj: nn.Module
    v_proj: nn.Module
    o_proj: nn.Module
    num_attention_heads: int
    head_dim: int
    config: Any
    use_rel_pos = False

    @property
    def scale(self) -> float:  # type: ignore[override]
        scaling: float = self.scaling  # type: ignore[assignment]
        return scaling

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, None]:
        height, width = hidden_states.shape[1:3]
        q, k, v = (
            project(hidden_states).unflatten(-1, (self.num_attention_heads, self.head_dim))  # (B, H, W, heads, d)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        cosines, sines = (table.to(q.device)[:, :, None] for table in self.tables_of(height, width))
        # Rotated before the kernel: rotation is not a bias, and queries and keys are scaled in the same way with or without it.
        turned = torch.stack([rotate(q, cosines, sines), rotate(k, cosines, sines), v], dim=3)
        return self.o_proj(self.attend_grid(turned)), None

    def tables_of(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the present grid, `(H, W, d)`."""
        basam, trained = self.basam, self.basam.geometry.trained_side
        windowed = basam.mode.window((height, width), trained) != (height, width)
        whole = (trained, trained) if windowed else extent(height, width, basam.aspect)  # a window has the trained step
        rows, columns = rotary_coordinates(height, width, self.config.window_size, whole)
        return rotary_tables(rows, columns, self.head_dim, sizes.rotary_theta(self.config))


class Sam3Vision(AnySizeVision, sam3.Sam3VisionModel): ...


class Sam3Encodings(NoEncodings, sam3.Sam3SinePositionEmbedding): ...


class Sam3Prompts(AnySizePrompts, tracker.Sam3TrackerPromptEncoder): ...


class Sam3Encoding(AnySizeEncoding, tracker.Sam3TrackerPositionalEmbedding): ...


# `save_pretrained` writes the name of the class into config.json: it has to be upstream's.
class Sam3TrackerModel(AnySizePyramid, tracker.Sam3TrackerModel): ...


REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    replacement.__bases__[1]: replacement
    for replacement in (Sam3Vision, Sam3Encodings, Sam3Prompts, Sam3Encoding, Sam3TrackerModel)
}


def replacements(model: nn.Module, count: int) -> list[tuple[nn.Module, type[nn.Module]]]:
    """Every module of a tracker of SAM 3 with its replacement class; `count` global layers."""
    return pyramid_replacements(model, REPLACEMENTS, Sam3GlobalAttention, "vision_encoder.backbone.layers", "attention", count)


def build(config: dict[str, Any]) -> nn.Module:
    """A `Sam3TrackerModel` from a configuration, without its parts for videos and texts."""
    model = tracker.Sam3TrackerModel(Sam3TrackerConfig(**pyramid_files.plain_config(config)))
    sizes.geometry(model.config)
    return model


class TrackerCheckpoint(Checkpoint):
    """Rotary positions are in no file: `transformers` computes them, and so does loading."""

    def load(self) -> nn.Module:
        with quiet():
            model = tracker.Sam3TrackerModel.from_pretrained(
                None, config=self.model.config, state_dict=self.weights(), dtype="float32"
            )
        return model.eval()
