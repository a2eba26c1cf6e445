"""Checkpoint folders in `transformers`' own layout: config.json beside safetensors (or an old pytorch_model.bin)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from basam.families.base import ModelSummary, count_parameters
from basam.families.geometry import Geometry
from basam.families.shared.checkpoints import Checkpoint, own_keys
from basam.families.shared.configs import build, check_heads, check_layers, read_config
from basam.families.shared.shapes import Shapes
from basam.families.shared.weight_files import folder_shapes, folder_state

# model_type in config.json: the class that loads it.
CLASSES = {
    "sam": "SamModel",
    "sam_vision_model": "SamVisionModel",
    "sam_hq": "SamHQModel",
    "sam_hq_vision_model": "SamHQVisionModel",
}

# The positional encoding has two names for one tensor: a file may have either, or both.
SHARED = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")


def read(path: Path) -> Checkpoint:
    """The checkpoint of a folder of one of `CLASSES`.

    Raises:
        UnsupportedModelError: a wrong field of config.json, or a tensor that does not fit; the message names it.
    """
    import transformers

    config = read_config(path) or {}
    name = CLASSES[config["model_type"]]
    model: Any = build_folder(path, getattr(transformers, name), geometry_of)
    shapes = folder_shapes(path)
    kind = "SAM-HQ" if "hq" in config["model_type"] else "SAM"
    summary = vit_summary(kind, model, len(shapes), f"transformers {name}")
    return Checkpoint(model, summary, shapes, partial(folder_state, path), folder_keys(model, shapes))


def build_folder(path: Path, model_class: Any, geometry: Callable[[Any], Geometry]) -> Any:
    """The model of a folder's config.json, on the meta device; `geometry` raises for sizes that no model can run with."""

    def make(config: dict[str, Any]) -> nn.Module:
        model = model_class(model_class.config_class.from_dict(config))
        decoder = getattr(model.config, "mask_decoder_config", None)
        if decoder is not None:
            check_heads(decoder)
        geometry(model)
        return model

    return build(path / "config.json", read_config(path) or {}, make)


def folder_keys(model: nn.Module, shapes: Shapes) -> dict[str, tuple[str, ...]]:
    """The names of a model's tensors; the file may have the positional encoding under either name."""
    there = next((name for name in SHARED if name in shapes), SHARED[0])
    return {name: (there if name in SHARED and name not in shapes else name,) for name in own_keys(model)}


def geometry_of(model: Any) -> Geometry:
    """`Geometry` of a SAM of `transformers`.

    Raises:
        UnsupportedModelError: an invalid field of its configuration; names it and its value.
    """
    vision = model.vision_encoder.config
    check_heads(vision)
    # Without a window every layer is global.
    layers = vision.global_attn_indexes if vision.window_size else range(vision.num_hidden_layers)
    return Geometry(
        patch=vision.patch_size,
        trained_side=vision.image_size // vision.patch_size,
        layers=vision.num_hidden_layers,
        global_layers=check_layers("global_attn_indexes", layers, vision.num_hidden_layers),
        heads=vision.num_attention_heads,
    )


def vit_summary(kind: str, model: Any, tensors: int, layout: str) -> ModelSummary:
    """The summary of a SAM of `transformers`, of `tensors` tensors in a file."""
    vision = model.vision_encoder.config
    return ModelSummary(
        architecture=f"{kind} {vit_name(vision.hidden_size, vision.num_hidden_layers)}",
        geometry=geometry_of(model),
        parameters=count_parameters(model),
        windows=(vision.window_size,),
        tensors=tensors,
        layout=layout,
    )


def vit_name(hidden: int, layers: int) -> str:
    """ViT-B, ViT-L or ViT-H, or the sizes of any other."""
    return {(768, 12): "ViT-B", (1024, 24): "ViT-L", (1280, 32): "ViT-H"}.get((hidden, layers), f"ViT {hidden} x {layers}")
