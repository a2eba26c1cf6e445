"""State dicts with Meta's keys (`sam_vit_b_01ec64.pth`, MedSAM's, fine-tuned ones): their sizes, and the way to `transformers`.

A state dict is all that is in such a file, so everything is read from names and shapes: the grid from the absolute
positions, the heads and the windows from the relative ones. Only the heads of the mask decoder are in no shape: 8, as in
every published SAM.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from basam.families.attachment import Geometry
from basam.families.base import UnsupportedModelError
from basam.families.shared import checkpoints

DECODER_HEADS = 8

# Keys of every file with Meta's prompt encoder and mask decoder.
DECODER_KEYS = ("prompt_encoder.point_embeddings.0.weight", "mask_decoder.mask_tokens.weight")
IMAGE_KEYS = ("image_encoder.patch_embed.proj.weight", "image_encoder.blocks.0.attn.qkv.weight")

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


def count_layers(shapes: Mapping[str, Any], prefix: str) -> int:
    """How many numbered parts there are below `prefix`."""
    return len({key[len(prefix) :].partition(".")[0] for key in shapes if key.startswith(prefix)})


def decoder_configs(shapes: checkpoints.Shapes, image_size: int, patch: int) -> dict[str, dict[str, Any]]:
    """Sizes of prompt encoder and mask decoder, as `SamConfig` takes them."""
    hidden = shapes["mask_decoder.iou_token.weight"][1]
    inner = shapes["mask_decoder.transformer.final_attn_token_to_image.q_proj.weight"][0]
    return {
        "prompt_encoder_config": {
            "hidden_size": hidden,
            "image_size": image_size,
            "patch_size": patch,
            "mask_input_channels": shapes["prompt_encoder.mask_downscaling.3.weight"][0],
            "num_point_embeddings": count_layers(shapes, "prompt_encoder.point_embeddings."),
        },
        "mask_decoder_config": {
            "hidden_size": hidden,
            "mlp_dim": shapes["mask_decoder.transformer.layers.0.mlp.lin1.weight"][0],
            "num_hidden_layers": count_layers(shapes, "mask_decoder.transformer.layers."),
            "num_attention_heads": DECODER_HEADS,
            "attention_downsample_rate": hidden // inner,
            "num_multimask_outputs": shapes["mask_decoder.mask_tokens.weight"][0] - 1,
            "iou_head_depth": count_layers(shapes, "mask_decoder.iou_prediction_head.layers."),
            "iou_head_hidden_dim": shapes["mask_decoder.iou_prediction_head.layers.0.weight"][0],
            "layer_norm_eps": 1e-5,  # Meta's; transformers' own conversion says 1e-6
        },
    }


def vision_config(shapes: checkpoints.Shapes, path: Path) -> dict[str, Any]:
    """Sizes of Meta's ViT image encoder, as `SamVisionConfig` takes them.

    Raises:
        UnsupportedModelError: windows and global layers, or heads, cannot be told from the relative positions.
    """
    prefix = "image_encoder."
    hidden, channels, patch, _ = shapes[prefix + "patch_embed.proj.weight"]
    layers = count_layers(shapes, prefix + "blocks.")
    tables = [shapes.get(f"{prefix}blocks.{layer}.attn.rel_pos_h") for layer in range(layers)]
    sides = [(table[0] + 1) // 2 for table in tables if table is not None]
    if len(sides) < layers:
        raise UnsupportedModelError(f"{path}: layers without relative positions, so their windows and heads cannot be told")
    absolute = shapes.get(prefix + "pos_embed")
    grid = max(sides) if absolute is None else absolute[1]
    windows = {side for side in sides if side != grid}
    if len(windows) > 1 or any(side > grid for side in windows):
        raise UnsupportedModelError(
            f"{path}: relative positions for {', '.join(map(str, sorted(set(sides))))} patches per side on a grid of {grid} x "
            f"{grid}: one window size and the grid's own are expected, so that global layers can be told from windows"
        )
    return {
        "hidden_size": hidden,
        "num_channels": channels,
        "patch_size": patch,
        "image_size": grid * patch,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // tables[0][1],  # type: ignore[index]
        "window_size": windows.pop() if windows else 0,
        "global_attn_indexes": [layer for layer, side in enumerate(sides) if side == grid],
        "mlp_dim": shapes[prefix + "blocks.0.mlp.lin1.weight"][0],
        "qkv_bias": prefix + "blocks.0.attn.qkv.bias" in shapes,
        "use_abs_pos": absolute is not None,
        "output_channels": shapes[prefix + "neck.0.weight"][0],
        "num_pos_feats": shapes["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"][1],
    }


def geometry(vision: Mapping[str, Any]) -> Geometry:
    """`Geometry` of a `vision_config`."""
    return Geometry(
        patch=vision["patch_size"],
        trained_side=vision["image_size"] // vision["patch_size"],
        layers=vision["num_hidden_layers"],
        global_layers=tuple(vision["global_attn_indexes"]),
        heads=vision["num_attention_heads"],
    )


def to_transformers(state: Mapping[str, Tensor], image_rules: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    """A state dict with Meta's keys under those of `transformers`; the two names of the shared encoding included."""
    renamed = {
        rename(key, image_rules) if key.startswith("image_encoder.") else decoder_key(key, state): value
        for key, value in state.items()
    }
    shared = renamed.get("prompt_encoder.shared_embedding.positional_embedding")
    if shared is not None:
        renamed["shared_image_embedding.positional_embedding"] = shared
    return renamed


def load(path: Path) -> nn.Module:
    """The `SamModel` of a file with Meta's keys, in float32 and evaluation mode; every tensor is accounted for."""
    from transformers import SamConfig, SamModel

    state = checkpoints.read_state(path)
    shapes = checkpoints.read_shapes(path)
    vision = vision_config(shapes, path)
    config = SamConfig(vision_config=vision, **decoder_configs(shapes, vision["image_size"], vision["patch_size"]))
    with torch.device("meta"):
        model = SamModel(config)
    checkpoints.fill(model, to_transformers(state, IMAGE_ENCODER), path, "SamModel")
    model.tie_weights()
    return model
