"""Folders and files of SAM 2 and SAM 3: their parts for images, and the trained grid that their tables agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from basam.families.base import UnsupportedModelError
from basam.families.shared import meta_files
from basam.families.shared.configs import check_heads

SECTIONS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")  # of a configuration, about images
# Prefixes of tensors that only videos need.
VIDEO_ONLY = (
    "memory_",
    "mask_downsample.",
    "object_pointer_proj.",
    "temporal_positional_encoding_projection_layer.",
    "no_memory_positional_encoding",
    "no_object_pointer",
    "occlusion_spatial_embedding_parameter",
)
# Pixels per side of a patch in every feature map that the mask decoder takes; the finest is that of the masks.
SCALES = (4, 2, 1)

# The names of `transformers` and Meta's of SAM 2, in the order of replacing.
PROMPT_AND_DECODER = (
    (r"\.o_proj\.", ".out_proj."),
    *meta_files.PROMPT_AND_DECODER,
    (r"^(prompt_encoder|mask_decoder)\.", r"sam_\1."),
)


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of a configuration that an image model has."""
    return {part: config[part] for part in SECTIONS if part in config}


def side_of(value: Any, name: str) -> int:
    """A side in pixels of a configuration, given once or per axis.

    Raises:
        UnsupportedModelError: not a square.
    """
    sides = set(value) if isinstance(value, (list, tuple)) else {value}
    if len(sides) != 1 or min(sides) < 1:
        raise UnsupportedModelError(f"{name}={value!r}: a square is needed, as all published models were trained on")
    return int(sides.pop())


def trained_side(config: Any, patch: int) -> int:
    """Patches along a side of the trained grid, which two tables of a configuration must agree about.

    Args:
        config: of `transformers`.
        patch: pixels along a side of a patch.

    Raises:
        UnsupportedModelError: they do not agree, the image is no square, or heads of the decoder do not divide its channels.
    """
    check_heads(config.mask_decoder_config)
    prompts, sizes = config.prompt_encoder_config, config.vision_config.backbone_feature_sizes
    given = side_of(prompts.patch_size, "patch_size of prompt_encoder_config")
    size = side_of(prompts.image_size, "image_size of prompt_encoder_config")
    side = size // patch
    expected = [[scale * side, scale * side] for scale in SCALES]
    if given != patch or [list(pair) for pair in sizes] != expected:
        raise UnsupportedModelError(
            f"backbone_feature_sizes={sizes!r} beside an image_size of {size} px with patch_size={given}: {expected} belong "
            f"to such images with patches of {patch} px"
        )
    return side
