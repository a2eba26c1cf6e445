"""MobileSAM: a TinyViT encoder with SAM's prompt encoder and mask decoder. Its file, and folders saved from it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from basam.families.attachment import Geometry
from basam.families.base import ModelSummary, count_parameters
from basam.families.shared import checkpoints, meta_files, transformers_files
from basam.families.transformers_sam import TransformersSam

KEYS = ("image_encoder.patch_embed.seq.0.c.weight", "image_encoder.layers.1.blocks.0.attn.attention_biases")
IMAGE_SIZE = 1024  # no tensor of a TinyViT tells it
ENCODER = "image_encoder."
ENCODER_RULES = ((r"^image_encoder\.", "vision_encoder."),)


def tinyvit_sizes(shapes: checkpoints.Shapes) -> dict[str, Any]:
    """Fields of `TinyViTConfig`, from the tensors."""
    stages = range(meta_files.count_layers(shapes, ENCODER + "layers."))
    biases = [shapes.get(f"{ENCODER}layers.{stage}.blocks.0.attn.attention_biases", (0, 0)) for stage in stages]
    merged = [shapes[f"{ENCODER}layers.{stage}.downsample.conv1.c.weight"][0] for stage in stages[:-1]]
    return {
        "widths": (shapes[ENCODER + "patch_embed.seq.2.c.weight"][0], *merged),
        "depths": tuple(meta_files.count_layers(shapes, f"{ENCODER}layers.{stage}.blocks.") for stage in stages),
        "heads": tuple(heads for heads, _ in biases),
        "windows": tuple(math.isqrt(distances) for _, distances in biases),
        "expansion": shapes[ENCODER + "layers.1.blocks.0.mlp.fc1.weight"][0] // merged[0],
        "classes": shapes[ENCODER + "head.weight"][0],
        "channels": shapes[ENCODER + "neck.0.weight"][0],
        "image_size": IMAGE_SIZE,
    }


def geometry_of(image_size: int, patch: int, depths: tuple[int, ...], heads: tuple[int, ...]) -> Geometry:
    """No layer sees the whole grid; heads are those of the last stage."""
    return Geometry(patch=patch, trained_side=image_size // patch, layers=sum(depths), global_layers=(), heads=heads[-1])


class MobileSam(TransformersSam):
    """Prompts, masks and images go through `transformers`' SAM; only the image encoder is another."""

    name = "MobileSAM"
    model_types = ("mobile_sam",)

    def matches(self, model: nn.Module) -> bool:
        # Without its module there is no instance of the class, and importing it takes seconds.
        ours = sys.modules.get("basam.families.mobile_sam.modules")
        return ours is not None and isinstance(model, ours.MobileSamModel)

    def geometry(self, model: Any) -> Geometry:
        sizes = model.config.sizes()
        return geometry_of(sizes.image_size, sizes.patch, sizes.depths, sizes.heads)

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.mobile_sam.modules import replacements

        return replacements(model)

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            return (transformers_files.read_config(path) or {}).get("model_type") == "mobile_sam"
        return checkpoints.holds(path, *KEYS, *meta_files.DECODER_KEYS)

    def load(self, path: Path) -> nn.Module:
        from basam.families.mobile_sam.modules import MobileSamConfig, MobileSamModel
        from basam.families.mobile_sam.tinyvit import TinyViTConfig

        if path.is_dir():
            return transformers_files.load(path, MobileSamModel)
        shapes = checkpoints.read_shapes(path)
        sizes = TinyViTConfig(**tinyvit_sizes(shapes))
        features = shapes["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"][1]
        # The vision transformer that SamModel builds first has no layers: the TinyViT takes its place.
        vision = {"num_hidden_layers": 0, "image_size": sizes.image_size, "patch_size": sizes.patch, "num_pos_feats": features}
        config = MobileSamConfig(
            tinyvit=vars(sizes), vision_config=vision, **meta_files.decoder_configs(shapes, sizes.image_size, sizes.patch)
        )
        with torch.device("meta"):
            model = MobileSamModel(config)
        state = meta_files.to_transformers(checkpoints.read_state(path), ENCODER_RULES)
        checkpoints.fill(model, state, path, "MobileSAM")
        model.tie_weights()
        return model

    def summary(self, path: Path) -> ModelSummary:
        if path.is_dir():
            sizes = (transformers_files.read_config(path) or {})["tinyvit"]
            shapes, layout = transformers_files.folder_shapes(path), "transformers folder"
        else:
            shapes, layout = checkpoints.read_shapes(path), "MobileSAM's state dict"
            sizes = tinyvit_sizes(shapes)
        geometry = geometry_of(sizes["image_size"], 16, sizes["depths"], sizes["heads"])
        return ModelSummary(
            architecture="MobileSAM (TinyViT)",
            geometry=geometry,
            parameters=count_parameters(shapes),
            windows=tuple(sizes["windows"][1:]),
            tensors=len(shapes),
            layout=layout,
        )


FAMILY = MobileSam()

__all__ = ["FAMILY"]
