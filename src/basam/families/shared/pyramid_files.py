"""Folders of `transformers`' SAM 2 and SAM 3: what of them is about images, and the trained grid that their tables agree on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.checks import is_whole
from basam.families.base import UnsupportedModelError
from basam.families.shared.config_fields import MOST, SECTIONS
from basam.families.shared.shapes import Shapes
from basam.families.shared.stored import check_types
from basam.families.shared.transformers_sizes import COUNTED, DEFAULTS

if TYPE_CHECKING:
    from torch import Tensor, nn

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
WIDTH = 256  # channels of feature maps and prompts, where a configuration does not say
# What config.json may leave out of the sizes of prompt encoder and mask decoder: the same as in SAM's.
DECODERS = {
    "prompt_encoder_config": DEFAULTS["prompt_encoder_config"],
    "mask_decoder_config": DEFAULTS["mask_decoder_config"] | {"num_attention_heads": 8},
}


@contextmanager
def in_config_of(path: Path) -> Iterator[None]:
    """Errors about a configuration name the file that it is in."""
    try:
        yield
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"{path / 'config.json'}: {error}") from error


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a configuration; empty where it is left out.

    Raises:
        UnsupportedModelError: it is no object.
    """
    found = config.get(name)
    if found is not None and not isinstance(found, Mapping):
        raise UnsupportedModelError(f"{name}={found!r}: an object is needed")
    return found or {}


def count_of(config: Mapping[str, Any], name: str) -> int:
    """A whole number above 0 of a configuration.

    Raises:
        UnsupportedModelError: it is none.
    """
    value = config[name]
    if not is_whole(value, 1):
        raise UnsupportedModelError(f"{name}={value!r}: a whole number above 0 is needed")
    check_most(name, value)
    return int(value)


def check_most(name: str, *values: int) -> None:
    """Refuse a number of layers or the like that is beyond reason, of which a table would never end.

    Raises:
        UnsupportedModelError: naming it and its value.
    """
    if name in (*COUNTED, "blocks_per_stage") and max(values, default=0) > MOST:
        raise UnsupportedModelError(f"{name}={max(values)}: at most {MOST} is needed")


def counts_of(config: Mapping[str, Any], name: str, length: int | None = None, least: int = 1) -> list[int]:
    """A list of whole numbers of a configuration.

    Raises:
        UnsupportedModelError: it is none, or not of this length.
    """
    values = config[name]
    fits = isinstance(values, (list, tuple)) and all(is_whole(value, least) for value in values)
    if not fits or length not in (None, len(values)):
        raise UnsupportedModelError(
            f"{name}={values!r}: a list of {'' if length is None else f'{length} '}whole numbers of at least {least} is needed"
        )
    check_most(name, *values)
    return list(values)


def check_given(config: Mapping[str, Any], **needed: int | str) -> None:
    """Refuse fields of a configuration that are there and say, once or for each axis, something else than all models have.

    Raises:
        UnsupportedModelError: naming the field, its value and the one that is needed.
    """
    for name, value in needed.items():
        given = config.get(name)
        if given is not None and given != value and (not isinstance(given, (list, tuple)) or set(given) != {value}):
            raise UnsupportedModelError(f"{name}={given!r}: {value!r} is needed, which the grids and feature maps rest on")


def check_positive(config: Mapping[str, Any], name: str) -> None:
    """Refuse a field of a configuration that is no number above 0.

    Raises:
        UnsupportedModelError: naming it and its value.
    """
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise UnsupportedModelError(f"{name}={value!r}: a number above 0 is needed")


def completed(config: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a configuration with defaults for what it leaves out; a list may be left out as null."""
    given = {
        field: value
        for field, value in section(config, name).items()
        if value is not None or not isinstance(defaults.get(field), list)
    }
    return {**defaults, **given}


def decoder_sizes(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sizes of prompt encoder and mask decoder, with the defaults of `transformers` for what a configuration leaves out.

    Raises:
        UnsupportedModelError: one is no whole number above 0, or they do not agree with each other or with the feature maps.
    """
    found = {part: completed(config, part, defaults) for part, defaults in DECODERS.items()}
    for part, defaults in DECODERS.items():
        for name in defaults:
            count_of(found[part], name)
    prompts, decoder = found["prompt_encoder_config"], found["mask_decoder_config"]
    if decoder["hidden_size"] % decoder["num_attention_heads"]:
        raise UnsupportedModelError(
            f"num_attention_heads={decoder['num_attention_heads']} of the mask decoder: they do not divide its hidden_size of "
            f"{decoder['hidden_size']}"
        )
    channels = count_of(completed(config, "vision_config", {"fpn_hidden_size": WIDTH}), "fpn_hidden_size")
    if len({channels, prompts["hidden_size"], decoder["hidden_size"]}) > 1:
        raise UnsupportedModelError(
            f"fpn_hidden_size={channels} beside hidden_size={prompts['hidden_size']} of the prompt encoder and "
            f"hidden_size={decoder['hidden_size']} of the mask decoder: one number of channels is needed"
        )
    return found


def side_of(value: Any, name: str) -> int:
    """A side in pixels of a configuration, which may say it once or for each axis."""
    sides = set(value) if isinstance(value, (list, tuple)) else {str(value): value}.values()
    if len(sides) != 1:
        raise UnsupportedModelError(f"{name}={value!r}: a square is needed, as all published models were trained on")
    side = next(iter(sides))
    if not is_whole(side, 1):
        raise UnsupportedModelError(f"{name}={value!r}: a whole number of pixels is needed")
    return int(side)


def trained_side(config: Mapping[str, Any], patch: int, image_size: int) -> int:
    """Patches along a side of the trained grid, which two tables of a configuration must agree about.

    Args:
        patch: pixels along a side of a patch; image_size: of training, where the configuration says neither.

    Raises:
        UnsupportedModelError: they do not agree, or the image is no square.
    """
    prompts = section(config, "prompt_encoder_config")
    given = side_of(prompts.get("patch_size", patch), "prompt_encoder_config.patch_size")
    size = side_of(prompts.get("image_size", image_size), "prompt_encoder_config.image_size")
    side = size // patch
    vision: Mapping[str, Any] = section(config, "vision_config")
    sizes: Any = vision.get("backbone_feature_sizes")
    expected = [[scale * side, scale * side] for scale in SCALES]
    is_list = isinstance(sizes, (list, tuple)) and all(isinstance(pair, (list, tuple)) for pair in sizes)
    agrees = "backbone_feature_sizes" not in vision or (is_list and [list(pair) for pair in sizes] == expected)
    if given != patch or not agrees:
        raise UnsupportedModelError(
            f"the configuration says backbone_feature_sizes={sizes} beside an image_size of {size} px with patches of {given} "
            f"px: {expected} belong to such images with patches of {patch} px"
        )
    return side


def fitting(model: nn.Module, state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """`state` in float32 and in memory of its own, for `model`, which was built on the meta device.

    Raises:
        UnsupportedModelError: a tensor that is missing, too many, of another shape or not finite; the message names it.
    """
    import torch

    from basam.families.shared import checkpoints

    shapes = Shapes(path, {key: tuple(value.shape) for key, value in state.items()}, whole_keys=True)
    shapes.compare({key: tuple(value.shape) for key, value in model.state_dict().items()})
    check_types(path, {key: checkpoints.as_stored(value) for key, value in state.items()})
    # Copies: a tensor that still lies in the file would change with it.
    own = {key: value.to(torch.float32 if value.is_floating_point() else None, copy=True) for key, value in state.items()}
    checkpoints.check_finite(path, own)
    return own


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a configuration that an image model has."""
    return {part: config.get(part) for part in SECTIONS}
