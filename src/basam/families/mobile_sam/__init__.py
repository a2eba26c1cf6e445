"""MobileSAM: a TinyViT encoder with SAM's prompt encoder and mask decoder. Its file, and folders saved from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.families.base import ModelSummary, count_parameters, is_instance
from basam.families.geometry import Geometry
from basam.families.mobile_sam.layout import PREFIX, encoder_tensors
from basam.families.mobile_sam.sizes import STAGES, TinyViTConfig, checked_sizes
from basam.families.shared import Shapes, holds, layout, meta_files, read_config, read_shapes, read_sizes, transformers_files
from basam.families.transformers_sam import TransformersSam

if TYPE_CHECKING:
    from torch import nn

PARTS = {"image_encoder.": r"layers\.", **meta_files.PROMPTS_AND_MASKS}
IMAGE_SIZE = 1024  # no tensor of a TinyViT says it
ENCODER_RULES = ((r"^image_encoder\.", "vision_encoder."),)


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
        "depths": tuple(layout.count_parts(shapes, f"{PREFIX}layers.{stage}.blocks.") for stage in stages),
        "heads": (0, *(heads for heads, _ in biases)),
        "windows": (0, *(math.isqrt(distances) for _, distances in biases)),
        "expansion": max(1, shapes.sizes(f"{PREFIX}layers.1.blocks.0.mlp.fc1.weight", 2)[0] // merged[0]),
        "classes": shapes.sizes(f"{PREFIX}head.weight", 2)[0],
        "channels": shapes.sizes(f"{PREFIX}neck.0.weight", 4)[0],
        "image_size": IMAGE_SIZE,
    }


def sizes_of(shapes: Shapes) -> tuple[TinyViTConfig, dict[str, dict[str, Any]]]:
    """Sizes of the published file, of encoder and decoder; every tensor of it is there, and none is too many.

    Raises:
        UnsupportedModelError: naming the tensors that do not fit.
    """
    sizes = TinyViTConfig(**tinyvit_sizes(shapes))
    decoder = meta_files.decoder_configs(shapes, sizes.image_size, sizes.patch)
    shapes.compare(encoder_tensors(sizes) | layout.prompts_and_masks(decoder, meta_files.features_of(shapes)))
    return sizes, decoder


def geometry_of(image_size: int, patch: int, depths: tuple[int, ...], heads: tuple[int, ...]) -> Geometry:
    """No layer sees the whole grid; heads are those of the last stage."""
    return Geometry(patch=patch, trained_side=image_size // patch, layers=sum(depths), global_layers=(), heads=heads[-1])


class MobileSam(TransformersSam):
    """Prompts, masks and images go through `transformers`' SAM; only the image encoder is another."""

    name = "MobileSAM"
    model_types = ("mobile_sam",)

    def matches(self, model: nn.Module) -> bool:
        return is_instance(model, "basam.families.mobile_sam.modules", "MobileSamModel")

    def geometry(self, model: Any) -> Geometry:
        sizes = model.config.sizes()
        return geometry_of(sizes.image_size, sizes.patch, sizes.depths, sizes.heads)

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.mobile_sam.modules import replacements

        return replacements(model)

    def recognises(self, path: Path) -> bool:
        return super().recognises(path) if path.is_dir() else holds(path, PARTS)

    def load(self, path: Path) -> nn.Module:
        import torch

        from basam.families.mobile_sam.modules import MobileSamConfig, MobileSamModel
        from basam.families.shared import checkpoints

        if path.is_dir():
            return transformers_files.load(path, MobileSamModel, folder_tensors(path)[1])
        shapes = read_shapes(path)
        sizes, decoder = sizes_of(shapes)
        # The vision transformer that SamModel builds first has no layers: the TinyViT takes its place.
        vision = {
            "num_hidden_layers": 0,
            "image_size": sizes.image_size,
            "patch_size": sizes.patch,
            "num_pos_feats": meta_files.features_of(shapes),
        }
        with torch.device("meta"):
            model = MobileSamModel(MobileSamConfig(tinyvit=vars(sizes), vision_config=vision, **decoder))
        checkpoints.fill(model, meta_files.to_transformers(checkpoints.read_weights(path), ENCODER_RULES))
        model.tie_weights()
        return model

    def summary(self, path: Path) -> ModelSummary:
        if path.is_dir():
            sizes, expected = folder_tensors(path)
            shapes = transformers_files.folder_shapes(path, expected)
        else:
            shapes = read_shapes(path)
            sizes, _ = sizes_of(shapes)
        return ModelSummary(
            architecture="MobileSAM (TinyViT)",
            geometry=geometry_of(sizes.image_size, sizes.patch, sizes.depths, sizes.heads),
            parameters=count_parameters(shapes),
            windows=sizes.windows[1:],
            tensors=len(shapes),
            layout="transformers folder" if path.is_dir() else "MobileSAM's state dict",
        )


def folder_tensors(path: Path) -> tuple[TinyViTConfig, dict[str, tuple[int, ...]]]:
    """Sizes of the TinyViT, and the tensors by the keys of `transformers`, that a folder's config.json promises."""
    sizes = checked_sizes((read_config(path) or {}).get("tinyvit") or {}, path / "config.json")
    configs = read_sizes(path)
    features = configs["vision_config"]["num_pos_feats"]
    return sizes, meta_files.to_transformers(
        encoder_tensors(sizes) | layout.prompts_and_masks(configs, features), ENCODER_RULES
    )


FAMILY = MobileSam()

__all__ = ["FAMILY"]
