"""Sizes of SAM 2: the four published Hiera encoders, and what a configuration of `transformers` says of any other.

Source: Ravi et al., "SAM 2: Segment Anything in Images and Videos", ICLR 2025; Ryali et al., "Hiera", ICML 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from basam.families.base import UnsupportedModelError
from basam.families.geometry import Geometry
from basam.families.shared import pyramid_files

PATCH = 16  # pixels to a token of the third stage, where the global blocks are
IMAGE_SIZE = 1024
MULTIPLE = 32  # the last stage halves the grid once more
STAGES = 4
KERNEL = 7  # pixels along a side of what one token of the first stage sees
GLOBAL_STAGE = 3  # counted from 1: stages have 4, 8, 16 and 32 pixels to a token

# What config.json may leave out, as in Sam2HieraDetConfig: those of Hiera-T.
HIERA: dict[str, Any] = {
    "hidden_size": 96,
    "num_channels": 3,
    "mlp_ratio": 4.0,
    "blocks_per_stage": [1, 2, 7, 2],
    "embed_dim_per_stage": [96, 192, 384, 768],
    "num_attention_heads_per_stage": [1, 2, 4, 8],
    "window_size_per_stage": [8, 4, 14, 7],
    "global_attention_blocks": [5, 7, 9],
    "window_positional_embedding_background_size": [7, 7],
}

# The same of Sam2VisionConfig.
VISION: dict[str, Any] = {"backbone_channel_list": [768, 384, 192, 96], "fpn_hidden_size": 256, "fpn_top_down_levels": [2, 3]}


def hiera(width: int, heads: int, blocks: list[int], global_blocks: list[int], **others: Any) -> dict[str, Any]:
    """Fields of `Sam2HieraDetConfig`; width and heads double from stage to stage."""
    return HIERA | {
        "hidden_size": width,
        "num_attention_heads": heads,
        "blocks_per_stage": blocks,
        "embed_dim_per_stage": [width << stage for stage in range(4)],
        "num_attention_heads_per_stage": [heads << stage for stage in range(4)],
        "global_attention_blocks": global_blocks,
        **others,
    }


# The published encoders. Heads, windows and global blocks are in no tensor of a file: they follow from width and blocks.
PUBLISHED = {
    "T": hiera(96, 1, [1, 2, 7, 2], [5, 7, 9]),
    "S": hiera(96, 1, [1, 2, 11, 2], [7, 10, 13]),
    "B+": hiera(112, 2, [2, 3, 16, 3], [12, 16, 20], window_positional_embedding_background_size=[14, 14]),
    "L": hiera(144, 2, [2, 6, 36, 4], [23, 33, 43], window_size_per_stage=[8, 4, 16, 8]),
}


def hiera_name(backbone: Mapping[str, Any]) -> str:
    """`Hiera-T` and so on, or the sizes of any other."""
    width, blocks = backbone["embed_dim_per_stage"][0], backbone["blocks_per_stage"]
    for name, known in PUBLISHED.items():
        if (width, list(blocks)) == (known["hidden_size"], known["blocks_per_stage"]):
            return f"Hiera-{name}"
    return f"Hiera {width} x {sum(blocks)}"


def backbone_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that is about the Hiera encoder."""
    return pyramid_files.completed(pyramid_files.section(config, "vision_config"), "backbone_config", HIERA)


def vision_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that is about the image encoder: what its neck is like."""
    return pyramid_files.completed(config, "vision_config", VISION)


def check_backbone(backbone: Mapping[str, Any]) -> None:
    """Refuse a Hiera of another build than the published ones, of which only the sizes may differ.

    Raises:
        UnsupportedModelError: naming the field and its value.
    """
    pyramid_files.check_given(backbone, model_type="sam2_hiera_det_model")
    for name in ("blocks_per_stage", "window_size_per_stage"):
        pyramid_files.counts_of(backbone, name, STAGES)
    pyramid_files.counts_of(backbone, "global_attention_blocks", least=0)
    pyramid_files.counts_of(backbone, "window_positional_embedding_background_size", 2)
    widths = pyramid_files.counts_of(backbone, "embed_dim_per_stage", STAGES)
    heads = pyramid_files.counts_of(backbone, "num_attention_heads_per_stage", STAGES)
    if any(width % count for width, count in zip(widths, heads, strict=True)):
        raise UnsupportedModelError(f"num_attention_heads_per_stage={heads}: they do not divide embed_dim_per_stage={widths}")
    pyramid_files.count_of(backbone, "num_channels")
    if pyramid_files.count_of(backbone, "hidden_size") != widths[0]:
        raise UnsupportedModelError(
            f"hidden_size={backbone['hidden_size']}: the first of embed_dim_per_stage={widths} is needed"
        )
    pyramid_files.check_positive(backbone, "mlp_ratio")
    strides = {"patch_stride": PATCH // 4, "query_stride": 2, "num_query_pool_stages": STAGES - 1}
    pyramid_files.check_given(backbone, patch_kernel_size=KERNEL, patch_padding=KERNEL // 2, **strides)


def check_neck(vision: Mapping[str, Any], widths: list[int]) -> None:
    """Refuse a neck that does not take what a Hiera of these widths gives it.

    Raises:
        UnsupportedModelError: naming the field and its value.
    """
    pyramid_files.check_given(
        vision, model_type="sam2_vision_model", num_feature_levels=3, fpn_kernel_size=1, fpn_stride=1, fpn_padding=0
    )
    levels = pyramid_files.counts_of(vision, "fpn_top_down_levels", least=0)
    if any(level >= STAGES for level in levels):
        raise UnsupportedModelError(f"fpn_top_down_levels={levels}: levels are 0 to {STAGES - 1}")
    channels = pyramid_files.counts_of(vision, "backbone_channel_list", STAGES)
    if channels != widths[::-1]:
        raise UnsupportedModelError(f"backbone_channel_list={channels}: embed_dim_per_stage={widths} in reverse is needed")


def geometry(config: Mapping[str, Any]) -> Geometry:
    """The geometry of a configuration, as `Sam2Config.to_dict` or config.json gives it.

    Raises:
        UnsupportedModelError: global blocks elsewhere than in the third stage, sizes that do not agree or make no sense.
    """
    backbone = backbone_of(config)
    check_backbone(backbone)
    check_neck(vision_of(config), list(backbone["embed_dim_per_stage"]))
    pyramid_files.decoder_sizes(config)
    blocks, layers = backbone["blocks_per_stage"], tuple(sorted(backbone["global_attention_blocks"]))
    first, last = sum(blocks[:2]) + 1, sum(blocks[:GLOBAL_STAGE]) - 1  # the first block of a stage pools its queries
    outside = [layer for layer in layers if not first <= layer <= last]
    if outside:
        raise UnsupportedModelError(
            f"global_attention_blocks={list(layers)}: blocks {first} to {last} of this Hiera have one grid and one number of "
            f"heads; {outside} lie outside them"
        )
    return Geometry(
        patch=PATCH,
        trained_side=pyramid_files.trained_side(config, PATCH, IMAGE_SIZE),
        layers=sum(blocks),
        global_layers=layers,
        heads=backbone["num_attention_heads_per_stage"][GLOBAL_STAGE - 1],
        multiple=MULTIPLE,
        aspect="axes",
        squashed=True,
    )
