"""Sizes of SAM 2: the four published Hiera encoders, and other ones from a configuration of `transformers`.

Source: Ravi et al., "SAM 2: Segment Anything in Images and Videos", ICLR 2025; Ryali et al., "Hiera", ICML 2023.
"""

from __future__ import annotations

from typing import Any

from basam.families.base import UnsupportedModelError
from basam.families.geometry import Geometry
from basam.families.shared import check_heads, pyramid_files, require

PATCH = 16  # pixels to a token of the third stage, where the global blocks are
MULTIPLE = 32  # the last stage halves the grid once more
STAGES = 4
KERNEL = 7  # pixels along a side of what one token of the first stage sees
GLOBAL_STAGE = 3  # counted from 1: stages have 4, 8, 16 and 32 pixels to a token


def hiera(width: int, heads: int, blocks: list[int], global_blocks: list[int], **others: Any) -> dict[str, Any]:
    """Fields of `Sam2HieraDetConfig`; width and heads double from stage to stage."""
    return {
        "hidden_size": width,
        "num_attention_heads": heads,
        "blocks_per_stage": blocks,
        "embed_dim_per_stage": [width << stage for stage in range(STAGES)],
        "num_attention_heads_per_stage": [heads << stage for stage in range(STAGES)],
        "window_size_per_stage": [8, 4, 14, 7],
        "global_attention_blocks": global_blocks,
        "window_positional_embedding_background_size": [7, 7],
        **others,
    }


# The published encoders. Heads, windows and global blocks are in no tensor of a file: they follow from width and blocks.
PUBLISHED = {
    "T": hiera(96, 1, [1, 2, 7, 2], [5, 7, 9]),
    "S": hiera(96, 1, [1, 2, 11, 2], [7, 10, 13]),
    "B+": hiera(112, 2, [2, 3, 16, 3], [12, 16, 20], window_positional_embedding_background_size=[14, 14]),
    "L": hiera(144, 2, [2, 6, 36, 4], [23, 33, 43], window_size_per_stage=[8, 4, 16, 8]),
}


def hiera_name(backbone: Any) -> str:
    """`Hiera-T` and so on, or the sizes of any other."""
    width, blocks = backbone.embed_dim_per_stage[0], backbone.blocks_per_stage
    for name, known in PUBLISHED.items():
        if (width, list(blocks)) == (known["hidden_size"], known["blocks_per_stage"]):
            return f"Hiera-{name}"
    return f"Hiera {width} x {sum(blocks)}"


def geometry(config: Any) -> Geometry:
    """The geometry of a `Sam2Config`.

    Raises:
        UnsupportedModelError: a Hiera that differs from the published ones in more than sizes; names the field and its
            value.
    """
    vision = config.vision_config
    backbone = vision.backbone_config
    require(vision, model_type="sam2_vision_model", num_feature_levels=3, fpn_stride=1, fpn_padding=0)
    require(backbone, model_type="sam2_hiera_det_model", patch_kernel_size=KERNEL, patch_padding=KERNEL // 2)
    require(backbone, patch_stride=PATCH // 4, query_stride=2, num_query_pool_stages=STAGES - 1)
    check_heads(backbone, "num_attention_heads_per_stage", "embed_dim_per_stage")
    blocks, layers = backbone.blocks_per_stage, tuple(sorted(backbone.global_attention_blocks))
    if len(blocks) != STAGES or min(blocks) < 1:
        raise UnsupportedModelError(f"blocks_per_stage={blocks}: {STAGES} numbers above 0 are needed")
    windows = backbone.window_size_per_stage
    if len(windows) != STAGES or min(windows) < 1:
        raise UnsupportedModelError(f"window_size_per_stage={windows}: {STAGES} numbers above 0 are needed")
    if not set(vision.fpn_top_down_levels) <= set(range(STAGES)):
        raise UnsupportedModelError(f"fpn_top_down_levels={vision.fpn_top_down_levels}: levels are 0 to {STAGES - 1}")
    first, last = sum(blocks[:2]) + 1, sum(blocks[:GLOBAL_STAGE]) - 1  # the first block of a stage pools its queries
    if outside := [layer for layer in layers if not first <= layer <= last]:
        raise UnsupportedModelError(
            f"global_attention_blocks={list(layers)}: blocks {first} to {last} of this Hiera have one grid and one number of "
            f"heads; {outside} lie outside them"
        )
    return Geometry(
        patch=PATCH,
        trained_side=pyramid_files.trained_side(config, PATCH),
        layers=sum(blocks),
        global_layers=layers,
        heads=backbone.num_attention_heads_per_stage[GLOBAL_STAGE - 1],
        multiple=MULTIPLE,
        aspect="axes",
        squashed=True,
    )
