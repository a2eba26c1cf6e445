"""Which tensors an EfficientSAM has, and of what shape, by its sizes: no model is built for it.

Keys are those of the published files.
"""

from __future__ import annotations

from basam.families.efficient_sam.sizes import EfficientSamConfig
from basam.families.shared import layout


def expected_tensors(config: EfficientSamConfig) -> layout.Table:
    """All tensors of a model."""
    return image_encoder(config) | prompt_encoder(config) | mask_decoder(config)


def image_encoder(config: EfficientSamConfig) -> layout.Table:
    prefix, width = "image_encoder.", config.width
    found: layout.Table = {f"{prefix}pos_embed": (1, config.positions**2 + 1, width)}
    found |= layout.conv(f"{prefix}patch_embed.proj", 3, width, config.patch)
    for number in range(config.depth):
        block = f"{prefix}blocks.{number}."
        found |= layout.norm(f"{block}norm1", width) | layout.norm(f"{block}norm2", width)
        found |= layout.linear(f"{block}attn.qkv", width, 3 * width) | layout.linear(f"{block}attn.proj", width, width)
        found |= layout.linear(f"{block}mlp.fc1", width, config.mlp) | layout.linear(f"{block}mlp.fc2", config.mlp, width)
    return found | layout.neck(f"{prefix}neck", width, config.channels)


def prompt_encoder(config: EfficientSamConfig) -> layout.Table:
    prefix = "prompt_encoder."
    found: layout.Table = {f"{prefix}pe_layer.positional_encoding_gaussian_matrix": (2, config.channels // 2)}
    kinds = ("invalid_points", "point_embeddings", "bbox_top_left_embeddings", "bbox_bottom_right_embeddings")
    return found | {f"{prefix}{kind}.weight": (1, config.channels) for kind in kinds}


def mask_decoder(config: EfficientSamConfig) -> layout.Table:
    prefix, width, inner = "mask_decoder.", config.channels, config.decoder_inner
    found: layout.Table = {f"{prefix}iou_token.weight": (1, width), f"{prefix}mask_tokens.weight": (config.masks, width)}
    for number in range(config.decoder_depth):
        block = f"{prefix}transformer.layers.{number}."
        found |= layout.attention(f"{block}self_attn", width, width)
        found |= layout.attention(f"{block}cross_attn_token_to_image", width, inner)
        found |= layout.attention(f"{block}cross_attn_image_to_token", width, inner)
        found |= head(f"{block}mlp", width, config.decoder_mlp, width, 1)
        for which in (1, 2, 3, 4):
            found |= layout.norm(f"{block}norm{which}", width)
    found |= layout.attention(f"{prefix}transformer.final_attn_token_to_image", width, inner)
    found |= layout.norm(f"{prefix}transformer.norm_final_attn", width)
    middle, outputs = config.upscaling
    enlarged = f"{prefix}final_output_upscaling_layers."
    found |= layout.upscaling(f"{enlarged}0.0", width, middle) | layout.norm(f"{enlarged}0.1", middle)
    found |= layout.upscaling(f"{enlarged}1.0", middle, outputs)
    for number in range(config.masks):
        found |= head(f"{prefix}output_hypernetworks_mlps.{number}", width, width, outputs, 2)
    return found | head(f"{prefix}iou_prediction_head", width, config.iou_hidden, config.masks, 2)


def head(key: str, inputs: int, hidden: int, outputs: int, depth: int) -> layout.Table:
    """An MLP of `depth` layers and one to the outputs."""
    found: layout.Table = {}
    for number in range(depth):
        found |= layout.linear(f"{key}.layers.{number}.0", hidden if number else inputs, hidden)
    return found | layout.linear(f"{key}.fc", hidden, outputs)
