"""MobileSAM: a TinyViT encoder with SAM's prompt encoder and mask decoder. Its file, and folders saved from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.families.base import is_instance
from basam.families.geometry import Geometry
from basam.families.mobile_sam.sizes import STAGES, TinyViTConfig
from basam.families.shared import (
    Checkpoint,
    Shapes,
    build,
    count_parts,
    folder_shapes,
    folder_state,
    holds,
    meta_files,
    read_shapes,
    read_state,
    transformers_files,
)
from basam.families.transformers_sam import TransformersSam

if TYPE_CHECKING:
    from torch import nn

PARTS = {"image_encoder.": r"layers\.", **meta_files.PROMPTS_AND_MASKS}
IMAGE_SIZE = 1024  # cannot be inferred from the tensors of a TinyViT
RULES = ((r"^vision_encoder\.", "image_encoder."), *meta_files.PROMPT_AND_DECODER)
PREFIX = "image_encoder."


def tinyvit_sizes(shapes: Shapes) -> dict[str, Any]:
    """Fields of `TinyViTConfig`, from the tensors.

    Raises:
        UnsupportedModelError: a tensor that one follows from is missing or has no such shape.
    """
    stages = range(STAGES)
    biases = [shapes.sizes(f"{PREFIX}layers.{stage}.blocks.0.attn.attention_biases", 2) for stage in stages[1:]]
    merged = [shapes.sizes(f"{PREFIX}layers.{stage}.downsample.conv1.c.weight", 4)[0] for stage in stages[:-1]]
    return {
        "widths": (shapes.sizes(f"{PREFIX}patch_embed.seq.2.c.weight", 4)[0], *merged),
        "depths": tuple(count_parts(shapes, f"{PREFIX}layers.{stage}.blocks.") for stage in stages),
        "heads": (0, *(heads for heads, _ in biases)),
        "windows": (0, *(math.isqrt(distances) for _, distances in biases)),
        "expansion": max(1, shapes.sizes(f"{PREFIX}layers.1.blocks.0.mlp.fc1.weight", 2)[0] // merged[0]),
        "classes": shapes.sizes(f"{PREFIX}head.weight", 2)[0],
        "channels": shapes.sizes(f"{PREFIX}neck.0.weight", 4)[0],
        "image_size": IMAGE_SIZE,
    }


def configs_of(shapes: Shapes) -> dict[str, Any]:
    """Fields of `MobileSamConfig`. The vision transformer that `SamModel` builds first has no layers; the TinyViT replaces
    it."""
    sizes = tinyvit_sizes(shapes)
    patch = TinyViTConfig(**sizes).patch
    features = shapes.sizes(meta_files.ENCODING, 2)[1]
    vision = {"num_hidden_layers": 0, "image_size": IMAGE_SIZE, "patch_size": patch, "num_pos_feats": features}
    return {"tinyvit": sizes, "vision_config": vision, **meta_files.decoder_configs(shapes, IMAGE_SIZE, patch)}


class MobileSam(TransformersSam):
    """Prompts, masks and images go through `transformers`' SAM; only the image encoder is replaced."""

    name = "MobileSAM"
    model_types = ("mobile_sam",)

    def matches(self, model: nn.Module) -> bool:
        return is_instance(model, "basam.families.mobile_sam.modules", "MobileSamModel")

    def geometry(self, model: Any) -> Geometry:
        sizes = model.config.sizes()
        return Geometry(
            patch=sizes.patch,
            trained_side=sizes.image_size // sizes.patch,
            layers=sum(sizes.depths),
            global_layers=(),  # no layer sees the whole grid
            heads=sizes.heads[-1],
        )

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.attachment import class_replacements
        from basam.families.mobile_sam.modules import REPLACEMENTS

        return class_replacements(model, REPLACEMENTS)

    def recognises(self, path: Path) -> bool:
        return super().recognises(path) if path.is_dir() else holds(path, PARTS)

    def read(self, path: Path) -> Checkpoint:
        from basam.families.mobile_sam.modules import MobileSamConfig, MobileSamModel

        model: Any
        if path.is_dir():
            model, shapes = transformers_files.build_folder(path, MobileSamModel, self.geometry), folder_shapes(path)
            read, keys = partial(folder_state, path), transformers_files.folder_keys(model, shapes)
        else:
            shapes = read_shapes(path)
            model = build(path, configs_of(shapes), lambda config: MobileSamModel(MobileSamConfig(**config)))
            read, keys = partial(read_state, path), meta_files.metas_keys(model, RULES)
        layout = "transformers folder" if path.is_dir() else "MobileSAM's state dict"
        about = {"windows": model.config.sizes().windows[1:], "tensors": len(shapes), "layout": layout}
        summary = self.describe(model, architecture="MobileSAM (TinyViT)", **about)
        return Checkpoint(model, summary, shapes, read, keys)


FAMILY = MobileSam()

__all__ = ["FAMILY"]
