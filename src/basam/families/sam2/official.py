"""Meta's own files of SAM 2 (`sam2_hiera_tiny.pt`, `sam2.1_hiera_large.pt`, fine-tuned ones), and their way to `transformers`.

A file is of one of the four published encoders: heads, windows and global blocks cannot be inferred from tensors, so width and
number of blocks must be known ones. Everything else is compared tensor by tensor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from basam.families.base import UnsupportedModelError
from basam.families.sam2 import sizes
from basam.families.shared import Shapes, count_parts, holds, meta_files, pyramid_files

# Prefixes of keys of every file with an image encoder and a mask decoder, and their continuations.
PARTS = {"image_encoder.trunk.": r"blocks\.|patch_embed\.|pos_embed", "sam_mask_decoder.": ""}
STEM = "image_encoder.trunk.patch_embed.proj.weight"
# Prefixes of tensors that only videos need.
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

# The names of `transformers` and Meta's, in the order of replacing.
RULES = (
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^vision_encoder\.neck\.convs\.(\d+)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"^no_memory_embedding$", "no_mem_embed"),
    (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
    *pyramid_files.PROMPT_AND_DECODER,
)
POINTS = "prompt_encoder.point_embed.weight"


def recognises(path: Path) -> bool:
    return holds(path, PARTS)


def config_of(shapes: Shapes) -> dict[str, Any]:
    """The configuration of a file, as `Sam2Config` takes it.

    Raises:
        UnsupportedModelError: not a published encoder, or the tensor that identifies it is missing.
    """
    width = shapes.sizes(STEM, 4)[0]
    blocks = count_parts(shapes, "image_encoder.trunk.blocks.")
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
        f"{shapes.path}: a Hiera of {width} channels and {blocks} blocks, whose heads and windows no tensor has; known are "
        f"{known}. Save it in transformers' layout, whose config.json has them"
    )


def keys_of(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """`Checkpoint.keys` of a `Sam2Model`. Meta stores the embeddings of points one by one."""
    kinds = model.get_parameter(POINTS).shape[0]
    points = tuple(f"sam_prompt_encoder.point_embeddings.{kind}.weight" for kind in range(kinds))
    return meta_files.metas_keys(model, RULES) | {POINTS: points}
