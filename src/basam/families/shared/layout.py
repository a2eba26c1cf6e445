"""Which tensors a SAM with a vision transformer has, and of what shape, by its sizes: no model is built for it.

Keys are Meta's. Sizes are the fields of `transformers`' configurations, which name them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Table = dict[str, tuple[int, ...]]


def linear(key: str, inputs: int, outputs: int, *, bias: bool = True) -> Table:
    found: Table = {f"{key}.weight": (outputs, inputs)}
    return found | {f"{key}.bias": (outputs,)} if bias else found


def conv(key: str, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> Table:
    found: Table = {f"{key}.weight": (outputs, inputs, kernel, kernel)}
    return found | {f"{key}.bias": (outputs,)} if bias else found


def upscaling(key: str, inputs: int, outputs: int) -> Table:
    """A transposed convolution to twice the resolution."""
    return {f"{key}.weight": (inputs, outputs, 2, 2), f"{key}.bias": (outputs,)}


def norm(key: str, channels: int) -> Table:
    return {f"{key}.weight": (channels,), f"{key}.bias": (channels,)}


def head(key: str, inputs: int, hidden: int, outputs: int, depth: int) -> Table:
    """An MLP of `depth` layers; `transformers` makes no fewer than two."""
    depth = max(2, depth)
    widths = [inputs, *[hidden] * (depth - 1), outputs]
    found: Table = {}
    for number in range(depth):
        found |= linear(f"{key}.layers.{number}", widths[number], widths[number + 1])
    return found


def attention(key: str, channels: int, inner: int) -> Table:
    found = linear(f"{key}.out_proj", inner, channels)
    for name in ("q_proj", "k_proj", "v_proj"):
        found |= linear(f"{key}.{name}", channels, inner)
    return found


def neck(key: str, inputs: int, channels: int) -> Table:
    """The end of all image encoders of SAM 1."""
    found = conv(f"{key}.0", inputs, channels, 1, bias=False) | norm(f"{key}.1", channels)
    return found | conv(f"{key}.2", channels, channels, 3, bias=False) | norm(f"{key}.3", channels)


def image_encoder(vision: Mapping[str, Any]) -> Table:
    """Meta's `ImageEncoderViT` of a `vision_config`."""
    prefix, width, patch = "image_encoder.", vision["hidden_size"], vision["patch_size"]
    grid = vision["image_size"] // patch
    found = conv(f"{prefix}patch_embed.proj", vision["num_channels"], width, patch)
    if vision["use_abs_pos"]:
        found[f"{prefix}pos_embed"] = (1, grid, grid, width)
    for number in range(vision["num_hidden_layers"]):
        block = f"{prefix}blocks.{number}."
        side = grid if number in vision["global_attn_indexes"] or not vision["window_size"] else vision["window_size"]
        found |= norm(f"{block}norm1", width) | norm(f"{block}norm2", width)
        found |= linear(f"{block}attn.qkv", width, 3 * width, bias=vision["qkv_bias"])
        found |= linear(f"{block}attn.proj", width, width)
        if vision["use_rel_pos"]:
            table = (2 * side - 1, width // vision["num_attention_heads"])
            found |= {f"{block}attn.rel_pos_h": table, f"{block}attn.rel_pos_w": table}
        found |= linear(f"{block}mlp.lin1", width, vision["mlp_dim"]) | linear(f"{block}mlp.lin2", vision["mlp_dim"], width)
    return found | neck(f"{prefix}neck", width, vision["output_channels"])


def prompt_encoder(prompt: Mapping[str, Any], features: int) -> Table:
    """Meta's `PromptEncoder` of a `prompt_encoder_config`; `features` are half the channels of its positional encoding."""
    prefix, channels, wide = "prompt_encoder.", prompt["hidden_size"], prompt["mask_input_channels"]
    narrow, mask = wide // 4, f"{prefix}mask_downscaling."
    found: Table = {f"{prefix}pe_layer.positional_encoding_gaussian_matrix": (2, features)}
    kinds = [f"point_embeddings.{number}" for number in range(prompt["num_point_embeddings"])]
    for kind in (*kinds, "not_a_point_embed", "no_mask_embed"):
        found[f"{prefix}{kind}.weight"] = (1, channels)
    found |= conv(f"{mask}0", 1, narrow, 2) | norm(f"{mask}1", narrow)
    return found | conv(f"{mask}3", narrow, wide, 2) | norm(f"{mask}4", wide) | conv(f"{mask}6", wide, channels, 1)


def mask_decoder(decoder: Mapping[str, Any], *, numbered: bool = False) -> Table:
    """Meta's `MaskDecoder` of a `mask_decoder_config`.

    Args:
        numbered: the layers of an MLP in the transformer have numbers, as in SAM 2; `transformers` makes as many of them as the
            transformer has layers, which are two in every published model.
    """
    prefix, width = "mask_decoder.", decoder["hidden_size"]
    inner, masks = width // decoder["attention_downsample_rate"], decoder["num_multimask_outputs"] + 1
    found: Table = {f"{prefix}iou_token.weight": (1, width), f"{prefix}mask_tokens.weight": (masks, width)}
    for number in range(decoder["num_hidden_layers"]):
        block = f"{prefix}transformer.layers.{number}."
        found |= attention(f"{block}self_attn", width, width)
        found |= attention(f"{block}cross_attn_token_to_image", width, inner)
        found |= attention(f"{block}cross_attn_image_to_token", width, inner)
        if numbered:
            found |= head(f"{block}mlp", width, decoder["mlp_dim"], width, decoder["num_hidden_layers"])
        else:
            found |= linear(f"{block}mlp.lin1", width, decoder["mlp_dim"])
            found |= linear(f"{block}mlp.lin2", decoder["mlp_dim"], width)
        for which in (1, 2, 3, 4):
            found |= norm(f"{block}norm{which}", width)
    found |= attention(f"{prefix}transformer.final_attn_token_to_image", width, inner)
    found |= norm(f"{prefix}transformer.norm_final_attn", width)
    found |= upscaling(f"{prefix}output_upscaling.0", width, width // 4) | norm(f"{prefix}output_upscaling.1", width // 4)
    found |= upscaling(f"{prefix}output_upscaling.3", width // 4, width // 8)
    for number in range(masks):
        found |= head(f"{prefix}output_hypernetworks_mlps.{number}", width, width, width // 8, 3)
    hidden, depth = decoder["iou_head_hidden_dim"], decoder["iou_head_depth"]
    return found | head(f"{prefix}iou_prediction_head", width, hidden, masks, depth)


def prompts_and_masks(configs: Mapping[str, Mapping[str, Any]], features: int) -> Table:
    """Prompt encoder and mask decoder of `prompt_encoder_config` and `mask_decoder_config`."""
    return prompt_encoder(configs["prompt_encoder_config"], features) | mask_decoder(configs["mask_decoder_config"])


def high_quality(decoder: Mapping[str, Any]) -> Table:
    """What SAM-HQ's mask decoder has beside SAM's, by the keys of `transformers`.

    Source: Ke et al., "Segment Anything in High Quality", NeurIPS 2023.
    """
    prefix, width = "mask_decoder.", decoder["hidden_size"]
    middle, narrow = width // 4, width // 8
    mlp = f"{prefix}hq_mask_mlp."
    found: Table = {f"{prefix}hq_token.weight": (1, width)}
    found |= linear(f"{mlp}proj_in", width, width) | linear(f"{mlp}layers.0", width, width)
    found |= linear(f"{mlp}proj_out", width, narrow)
    found |= upscaling(f"{prefix}compress_vit_conv1", decoder["vit_dim"], width) | norm(f"{prefix}compress_vit_norm", width)
    found |= upscaling(f"{prefix}compress_vit_conv2", width, narrow)
    found |= upscaling(f"{prefix}encoder_conv1", width, middle) | norm(f"{prefix}encoder_norm", middle)
    found |= upscaling(f"{prefix}encoder_conv2", middle, narrow)
    found |= conv(f"{prefix}mask_conv1", narrow, middle, 3) | norm(f"{prefix}mask_norm", middle)
    return found | conv(f"{prefix}mask_conv2", middle, narrow, 3)


def count_parts(keys: Iterable[str], prefix: str) -> int:
    """How many numbered parts there are below `prefix`, such as blocks.

    A part is counted where it has at least half of the tensors of the fullest one: a tensor that is too many makes no part
    of its own, and one that is missing takes none away.
    """
    sizes: dict[int, int] = {}
    for key in keys:
        if key.startswith(prefix) and (number := key[len(prefix) :].partition(".")[0]).isdecimal():
            sizes[int(number)] = sizes.get(int(number), 0) + 1
    whole = [number for number, size in sizes.items() if 2 * size >= max(sizes.values())]
    # A part may be missing as a whole; numbers far beyond the count are no SAM.
    return min(max(whole) + 1, 2 * len(whole)) if whole else 0
