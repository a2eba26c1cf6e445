"""State dicts with Meta's keys (`sam_vit_b_01ec64.pth`, MedSAM's, fine-tuned ones): their sizes, and the way to `transformers`.

A state dict is all that is in such a file, so everything is read from names and shapes: the grid from the absolute
positions, the heads and the windows from the relative ones. What is in no shape, and what decides how many tensors there
must be, is taken as in every published SAM: absolute positions and biases of q, k and v, 8 heads in the mask decoder, four
kinds of points, an IoU head of three layers.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from basam.families.base import UnsupportedModelError
from basam.families.geometry import Geometry
from basam.families.shared import layout
from basam.families.shared.shapes import Shapes, read_shapes

if TYPE_CHECKING:
    from torch import nn

Value = TypeVar("Value")

DECODER_HEADS, POINT_KINDS, IOU_LAYERS = 8, 4, 3

# How the keys of Meta's prompt encoder and mask decoder continue, see `shapes.holds`.
PROMPTS_AND_MASKS = {"prompt_encoder.": r"point_embeddings\.\d|mask_downscaling\.|no", "mask_decoder.": ""}
PARTS = {"image_encoder.": r"blocks\.", **PROMPTS_AND_MASKS}

# Meta's names and those of transformers, in the order of replacing.
PROMPT_AND_DECODER = (
    (r"prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix", "prompt_encoder.shared_embedding.positional_embedding"),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"\.norm(\d|_final_attn)\.", r".layer_norm\1."),
)
IMAGE_ENCODER = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.blocks\.", ".layers."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
)
# MLPs: layers.0 is the first, the last one closes, those between are counted from 0.
MLP_LAYER = re.compile(r"^(.*(?:\.mlp|_mlps\.\d+|_head))\.layers\.(\d+)\.(\w+)$")


def rename(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def decoder_key(key: str, shapes: Mapping[str, Any]) -> str:
    """transformers' name of a tensor of Meta's prompt encoder or mask decoder."""
    return mlp_key(key, PROMPT_AND_DECODER, shapes) or rename(key, PROMPT_AND_DECODER)


def mlp_key(key: str, rules: tuple[tuple[str, str], ...], keys: Container[str]) -> str | None:
    """transformers' name of a tensor of one of Meta's MLPs among `keys`; None for any other tensor."""
    layer = MLP_LAYER.match(key)
    if layer is None:
        return None
    mlp, index, kind = layer[1], int(layer[2]), layer[3]
    last = f"{mlp}.layers.{index + 1}.{kind}" not in keys
    place = "proj_in" if index == 0 else "proj_out" if last else f"layers.{index - 1}"
    return f"{rename(f'{mlp}.', rules)}{place}.{kind}"


def decoder_configs(shapes: Shapes, image_size: int, patch: int) -> dict[str, dict[str, Any]]:
    """Sizes of prompt encoder and mask decoder, as `SamConfig` takes them.

    Raises:
        UnsupportedModelError: a tensor that one follows from is missing or has no such shape.
    """
    masks, hidden = shapes.sizes("mask_decoder.mask_tokens.weight", 2)
    inner = shapes.sizes("mask_decoder.transformer.final_attn_token_to_image.q_proj.weight", 2)[0]
    return {
        "prompt_encoder_config": {
            "hidden_size": hidden,
            "image_size": image_size,
            "patch_size": patch,
            "mask_input_channels": shapes.sizes("prompt_encoder.mask_downscaling.3.weight", 4)[0],
            "num_point_embeddings": POINT_KINDS,
        },
        "mask_decoder_config": {
            "hidden_size": hidden,
            "mlp_dim": shapes.sizes("mask_decoder.transformer.layers.0.mlp.lin1.weight", 2)[0],
            "num_hidden_layers": layout.count_parts(shapes, "mask_decoder.transformer.layers."),
            "num_attention_heads": DECODER_HEADS,
            "attention_downsample_rate": max(1, hidden // inner),
            "num_multimask_outputs": masks - 1,
            "iou_head_depth": IOU_LAYERS,
            "iou_head_hidden_dim": shapes.sizes("mask_decoder.iou_prediction_head.layers.0.weight", 2)[0],
            "layer_norm_eps": 1e-5,  # Meta's; transformers' own conversion says 1e-6
        },
    }


def features_of(shapes: Shapes) -> int:
    """Half the channels of the positional encoding of prompts."""
    return shapes.sizes("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 2)[1]


def vision_config(shapes: Shapes) -> dict[str, Any]:
    """Sizes of Meta's ViT image encoder, as `SamVisionConfig` takes them.

    Raises:
        UnsupportedModelError: a tensor that one follows from is missing; or the relative positions do not show which layers are
            global, or how many heads there are.
    """
    prefix = "image_encoder."
    hidden, channels, patch, _ = shapes.sizes(f"{prefix}patch_embed.proj.weight", 4)
    layers = layout.count_parts(shapes, f"{prefix}blocks.")
    keys = [f"{prefix}blocks.{layer}.attn.rel_pos_h" for layer in range(layers)]
    if not any(key in shapes for key in keys):
        raise UnsupportedModelError(
            f"{shapes.path}: no layer has relative positions, so windows and heads are unknown; load such a model yourself "
            "and give it to basam.attach"
        )
    if missing := [key for key in keys if key not in shapes]:
        raise shapes.misfit(missing=missing)
    tables = [shapes.sizes(key, 2) for key in keys]
    sides = [(length + 1) // 2 for length, _ in tables]
    grid = shapes.sizes(f"{prefix}pos_embed", 4)[1]
    windows = {side for side in sides if side != grid}
    if len(windows) > 1 or any(side > grid for side in windows):
        raise UnsupportedModelError(
            f"{shapes.path}: relative positions for {', '.join(map(str, sorted(set(sides))))} patches per side on a grid of "
            f"{grid} x {grid}: one window size and the grid's own are expected, which separate global layers from windows"
        )
    return {
        "hidden_size": hidden,
        "num_channels": channels,
        "patch_size": patch,
        "image_size": grid * patch,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, hidden // tables[0][1]),
        "window_size": windows.pop() if windows else 0,
        "global_attn_indexes": [layer for layer, side in enumerate(sides) if side == grid],
        "mlp_dim": shapes.sizes(f"{prefix}blocks.0.mlp.lin1.weight", 2)[0],
        "qkv_bias": True,
        "use_abs_pos": True,
        "use_rel_pos": True,
        "output_channels": shapes.sizes(f"{prefix}neck.0.weight", 4)[0],
        "num_pos_feats": features_of(shapes),
    }


def configs(shapes: Shapes) -> dict[str, dict[str, Any]]:
    """Sizes of a SAM with Meta's keys, as `SamConfig` takes them; every tensor of it is there, and none is too many.

    Raises:
        UnsupportedModelError: naming the tensors that do not fit.
    """
    vision = vision_config(shapes)
    found = {"vision_config": vision, **decoder_configs(shapes, vision["image_size"], vision["patch_size"])}
    shapes.compare(layout.image_encoder(vision) | layout.prompts_and_masks(found, vision["num_pos_feats"]))
    return found


def geometry(vision: Mapping[str, Any]) -> Geometry:
    """`Geometry` of a `vision_config`."""
    return Geometry(
        patch=vision["patch_size"],
        trained_side=vision["image_size"] // vision["patch_size"],
        layers=vision["num_hidden_layers"],
        global_layers=tuple(vision["global_attn_indexes"]),
        heads=vision["num_attention_heads"],
    )


def to_transformers(found: Mapping[str, Value], image_rules: tuple[tuple[str, str], ...]) -> dict[str, Value]:
    """What is given by Meta's keys, by those of `transformers`; the shared encoding under both its names."""
    renamed = {
        rename(key, image_rules) if key.startswith("image_encoder.") else decoder_key(key, found): value
        for key, value in found.items()
    }
    shared = renamed.get("prompt_encoder.shared_embedding.positional_embedding")
    if shared is not None:
        renamed["shared_image_embedding.positional_embedding"] = shared
    return renamed


def load(path: Path) -> nn.Module:
    """The `SamModel` of a file with Meta's keys, in float32 and evaluation mode; every tensor is accounted for."""
    import torch
    from transformers import SamConfig, SamModel

    from basam.families.shared import checkpoints

    config = SamConfig(**configs(read_shapes(path)))
    with torch.device("meta"):
        model = SamModel(config)
    checkpoints.fill(model, to_transformers(checkpoints.read_weights(path), IMAGE_ENCODER))
    model.tie_weights()
    return model
