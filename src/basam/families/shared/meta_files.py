"""State dicts with Meta's keys (`sam_vit_b_01ec64.pth`, MedSAM, fine-tuned ones): their sizes, and conversion to
`transformers`.

Such a file has only a state dict, so sizes are inferred from names and shapes: the grid from the absolute positions, heads and
windows from the relative ones. Hyperparameters that cannot be inferred from tensors, and the expected number of tensors, use
the values of the published models: absolute positions, biases of q, k and v, 8 heads in the mask decoder, four types of points,
an IoU head of three layers.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from basam.families.base import UnsupportedModelError
from basam.families.shared.checkpoints import Checkpoint
from basam.families.shared.configs import build
from basam.families.shared.shapes import Shapes, count_parts, read_shapes
from basam.families.shared.state_dicts import read_state
from basam.families.shared.transformers_files import vit_summary

ENCODING = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
DECODER_HEADS, POINT_KINDS, IOU_LAYERS = 8, 4, 3

# Continuations of the keys of Meta's prompt encoder and mask decoder, see `shapes.holds`.
PROMPTS_AND_MASKS = {"prompt_encoder.": r"point_embeddings\.\d|mask_downscaling\.|no", "mask_decoder.": ""}
PARTS = {"image_encoder.": r"blocks\.", **PROMPTS_AND_MASKS}

# The names of `transformers` and Meta's, in the order of replacing.
PROMPT_AND_DECODER = (
    (r"^(shared_image_embedding|.*\.shared_embedding)\.positional_embedding$", ENCODING),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (r"\.layer_norm(\d|_final_attn)\.", r".norm\1."),
)
IMAGE_ENCODER = (
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"^vision_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^vision_encoder\.", "image_encoder."),
)
RULES = (*IMAGE_ENCODER, *PROMPT_AND_DECODER)
# MLPs: Meta counts all layers from 0, `transformers` those between the first and the last.
MLP_LAYER = re.compile(r"\.(proj_in|layers\.(\d+)|proj_out)(?=\.\w+$)")


def metas_keys(model: nn.Module, rules: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, ...]]:
    """`Checkpoint.keys`: Meta's keys by the names of a `transformers` model.

    Args:
        rules: names of `transformers` as regular expressions, and Meta's, in the order of replacing.
    """
    names = model.state_dict().keys()
    return {name: (metas_key(name, rules, names),) for name in names}


def metas_key(name: str, rules: tuple[tuple[str, str], ...], names: Collection[str]) -> str:
    """Meta's name of a tensor of `transformers`, which is one of `names`."""
    key = name
    layer = MLP_LAYER.search(name)
    if layer is not None and (start := name[: layer.start()]) + ".proj_in.weight" in names:
        middle = sum(other.startswith(f"{start}.layers.") and other.endswith(".weight") for other in names)
        number = {"proj_in": 0, "proj_out": middle + 1}.get(layer[1], int(layer[2] or 0) + 1)
        key = f"{start}.layers.{number}{name[layer.end() :]}"
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def decoder_configs(shapes: Shapes, image_size: int, patch: int) -> dict[str, dict[str, Any]]:
    """Sizes of prompt encoder and mask decoder, as fields of `SamConfig`.

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
            "num_hidden_layers": count_parts(shapes, "mask_decoder.transformer.layers."),
            "num_attention_heads": DECODER_HEADS,
            "attention_downsample_rate": max(1, hidden // inner),
            "num_multimask_outputs": masks - 1,
            "iou_head_depth": IOU_LAYERS,
            "iou_head_hidden_dim": shapes.sizes("mask_decoder.iou_prediction_head.layers.0.weight", 2)[0],
            "layer_norm_eps": 1e-5,  # Meta's; transformers' own conversion has 1e-6
        },
    }


def vision_config(shapes: Shapes) -> dict[str, Any]:
    """Sizes of Meta's ViT image encoder, as fields of `SamVisionConfig`.

    Raises:
        UnsupportedModelError: a tensor that one follows from is missing; or the relative positions do not show which layers are
            global, or how many heads there are.
    """
    prefix = "image_encoder."
    hidden, channels, patch, _ = shapes.sizes(f"{prefix}patch_embed.proj.weight", 4)
    layers = count_parts(shapes, f"{prefix}blocks.")
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
        "num_pos_feats": shapes.sizes(ENCODING, 2)[1],
    }


def read(path: Path) -> Checkpoint:
    """The checkpoint of a file with Meta's keys, whose model is a `SamModel`.

    Raises:
        UnsupportedModelError: naming the tensors that do not fit.
    """
    from transformers import SamConfig, SamModel

    shapes = read_shapes(path)
    vision = vision_config(shapes)
    config = {"vision_config": vision, **decoder_configs(shapes, vision["image_size"], vision["patch_size"])}
    model = build(path, config, lambda config: SamModel(SamConfig(**config)))
    summary = vit_summary("SAM", model, len(shapes), "Meta's state dict")
    return Checkpoint(model, summary, shapes, partial(read_state, path), metas_keys(model, RULES))
