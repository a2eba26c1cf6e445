"""Folders of `transformers`' SAM 2 and SAM 3: what of them is about images, and the trained grid that their tables agree on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from basam.families.base import UnsupportedModelError
from basam.families.shared import checkpoints
from basam.families.shared.shapes import Shapes

# What names of tensors begin with that only videos need.
VIDEO_ONLY = (
    "memory_",
    "mask_downsample.",
    "object_pointer_proj.",
    "temporal_positional_encoding_projection_layer.",
    "no_memory_positional_encoding",
    "no_object_pointer",
    "occlusion_spatial_embedding_parameter",
)
# Pixels along a side of a patch in each of the feature maps that the mask decoder takes; the finest is that of the masks.
SCALES = (4, 2, 1)
# Parts of a configuration that an image model has.
PARTS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")


def image_part(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors (or their shapes) that images need."""
    return {key: value for key, value in tensors.items() if not key.startswith(VIDEO_ONLY)}


def side_of(value: Any, name: str) -> int:
    """A side in pixels of a configuration, which may say it once or for each axis."""
    sides = set(value) if isinstance(value, (list, tuple)) else {value}
    if len(sides) != 1:
        raise UnsupportedModelError(f"{name}={value!r}: a square is needed, as all published models were trained on")
    return int(sides.pop())


def trained_side(config: Mapping[str, Any], patch: int, image_size: int) -> int:
    """Patches along a side of the trained grid, which two tables of a configuration must agree about.

    Args:
        patch: pixels along a side of a patch; image_size: of training, where the configuration says neither.

    Raises:
        UnsupportedModelError: they do not agree, or the image is no square.
    """
    prompts = config.get("prompt_encoder_config") or {}
    given = side_of(prompts.get("patch_size", patch), "prompt_encoder_config.patch_size")
    size = side_of(prompts.get("image_size", image_size), "prompt_encoder_config.image_size")
    side = size // patch
    sizes = (config.get("vision_config") or {}).get("backbone_feature_sizes")
    expected = [[scale * side, scale * side] for scale in SCALES]
    if given != patch or (sizes is not None and [list(pair) for pair in sizes] != expected):
        raise UnsupportedModelError(
            f"the configuration says backbone_feature_sizes={sizes} beside an image_size of {size} px with patches of {given} "
            f"px: {expected} belong to such images with patches of {patch} px"
        )
    return side


def built(build: Callable[[dict[str, Any]], Any], config: dict[str, Any], path: Path) -> Any:
    """`build(config)`, with an error that names the file where `transformers` does not take the configuration."""
    try:
        return build(config)
    except Exception as error:  # whatever transformers raises
        raise UnsupportedModelError(f"{path}: transformers does not take this configuration: {error}") from error


def fitting(model: nn.Module, state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """`state` in float32 and in memory of its own, for `model`, which was built on the meta device.

    Raises:
        UnsupportedModelError: a tensor that is missing, too many, of another shape or not finite; the message names it.
    """
    shapes = Shapes(path, {key: tuple(value.shape) for key, value in state.items()}, whole_keys=True)
    shapes.compare({key: tuple(value.shape) for key, value in model.state_dict().items()})
    # Copies: a tensor that still lies in the file would change with it.
    own = {key: value.to(torch.float32 if value.is_floating_point() else None, copy=True) for key, value in state.items()}
    checkpoints.check_finite(path, own)
    return own


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a configuration that an image model has."""
    return {part: config.get(part) for part in PARTS}
