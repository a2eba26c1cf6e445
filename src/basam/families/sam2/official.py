"""Meta's own files of SAM 2 (`sam2_hiera_tiny.pt`, `sam2.1_hiera_large.pt`, fine-tuned ones), and their way to `transformers`.

A file is of one of the four published encoders: heads, windows and global blocks are in no tensor, so width and number of
blocks must be known ones. Everything else is compared tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from basam.families.base import UnsupportedModelError
from basam.families.sam2 import sizes
from basam.families.shared import holds, layout, meta_files

# Beginnings of keys of every file with an image encoder and a mask decoder, and how they continue.
PARTS = {"image_encoder.trunk.": r"blocks\.|patch_embed\.|pos_embed", "sam_mask_decoder.": ""}
STEM = "image_encoder.trunk.patch_embed.proj.weight"
# What names of tensors begin with that only videos need.
VIDEO_ONLY = (
    "memory_attention.",
    "memory_encoder.",
    "maskmem_tpos_enc",
    "mask_downsample.",
    "obj_ptr_proj.",
    "obj_ptr_tpos_proj.",
    "no_mem_pos_enc",
    "no_obj_ptr",
    "no_obj_embed_spatial",
)
NEW_IN_2_1 = "no_obj_embed_spatial"

# Meta's names and those of transformers, in the order of replacing.
RULES = (
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.out_proj\.", ".o_proj."),
    *meta_files.PROMPT_AND_DECODER,
)
POINTS = "prompt_encoder.point_embed."
SHARED = "prompt_encoder.shared_embedding.positional_embedding"


def recognises(path: Path) -> bool:
    return holds(path, PARTS)


def image_part(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors (or their shapes) that images need."""
    return {key: value for key, value in tensors.items() if not key.startswith(VIDEO_ONLY)}


def config_of(shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, Any]:
    """The configuration of a file, as `Sam2Config` takes it.

    Raises:
        UnsupportedModelError: an encoder that is none of the published ones.
    """
    if STEM not in shapes:
        raise UnsupportedModelError(f"{path} does not fit its model: tensors missing: {STEM} (1)")
    width = shapes[STEM][0]
    blocks = layout.count_parts(shapes, "image_encoder.trunk.blocks.")
    for hiera in sizes.PUBLISHED.values():
        if (hiera["hidden_size"], sum(hiera["blocks_per_stage"])) == (width, blocks):
            vision = {
                "backbone_config": {"model_type": "sam2_hiera_det_model", **hiera},
                "backbone_channel_list": hiera["embed_dim_per_stage"][::-1],
            }
            return {"model_type": "sam2", "vision_config": vision}
    known = ", ".join(
        f"{name} ({hiera['hidden_size']} x {sum(hiera['blocks_per_stage'])})" for name, hiera in sizes.PUBLISHED.items()
    )
    raise UnsupportedModelError(
        f"{path}: a Hiera of {width} channels and {blocks} blocks, whose heads and windows no tensor has; known are {known}. "
        "Save it in transformers' layout, whose config.json has them"
    )


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The image part of a state dict with Meta's keys under those of `Sam2Model`."""
    found = image_part(state)
    renamed = {meta_files.mlp_key(key, RULES, found) or meta_files.rename(key, RULES): value for key, value in found.items()}
    # Meta keeps one embedding for each kind of point, transformers all of them in one table.
    kinds = sorted(key for key in renamed if key.startswith(POINTS))
    if kinds == [f"{POINTS}{kind}.weight" for kind in range(len(kinds))] and kinds:
        renamed[f"{POINTS}weight"] = torch.cat([renamed.pop(key) for key in kinds])
    if SHARED in renamed:
        renamed["shared_image_embedding.positional_embedding"] = renamed[SHARED]
    return renamed
