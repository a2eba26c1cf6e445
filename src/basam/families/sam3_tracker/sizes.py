"""Sizes of SAM 3's image encoder and what a configuration of `transformers` says of another.

Source: Carion et al., "SAM 3: Segment Anything with Concepts", 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from basam.families.base import UnsupportedModelError
from basam.families.geometry import Geometry
from basam.families.shared import pyramid_files

IMAGE_SIZE = 1008

# What config.json may leave out, as in Sam3ViTConfig.
VIT: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4736,
    "num_channels": 3,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
    "window_size": 24,
    "global_attn_indexes": [7, 15, 23, 31],
    "pretrain_image_size": 336,
}
# The same of Sam3VisionConfig.
VISION: dict[str, Any] = {"fpn_hidden_size": 256, "scale_factors": [4.0, 2.0, 1.0, 0.5]}
ROTARY = ("axial", "default")  # what versions of transformers call the rotary positions that SAM 3 has
SCALES = (4.0, 2.0, 1.0, 0.5)  # that the neck makes feature maps at, relative to the encoder's grid


def tracker_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a configuration that is about the tracker: all of it, or one section where there is a detector too.

    That of a detector alone says nothing but the encoder, which both share.
    """
    if config.get("model_type") == "sam3":
        return {"vision_config": config.get("vision_config")}
    return pyramid_files.section(config, "tracker_config") or config


def backbone_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a tracker's configuration that is about the vision transformer."""
    return pyramid_files.completed(pyramid_files.section(config, "vision_config"), "backbone_config", VIT)


def vision_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a tracker's configuration that is about the image encoder: what its neck is like."""
    return pyramid_files.completed(config, "vision_config", VISION)


def patch_of(backbone: Mapping[str, Any]) -> int:
    """Pixels along a side of a patch."""
    return pyramid_files.side_of(backbone["patch_size"], "backbone_config.patch_size")


def pretrain_side(backbone: Mapping[str, Any]) -> int:
    """Pixels along a side of the images whose absolute positions repeat over the grid."""
    return pyramid_files.side_of(backbone["pretrain_image_size"], "backbone_config.pretrain_image_size")


def check_neck(vision: Mapping[str, Any]) -> None:
    """Refuse a neck that does not begin with the three feature maps that the mask decoder takes.

    Raises:
        UnsupportedModelError: naming the field and its value.
    """
    scales, first = vision["scale_factors"], list(pyramid_files.SCALES)
    known = isinstance(scales, (list, tuple)) and all(scale in SCALES for scale in scales)
    if not known or list(scales[: len(first)]) != first:
        raise UnsupportedModelError(f"scale_factors={scales!r}: 4.0, 2.0, 1.0 and any of {SCALES} after them are needed")


def rotary_theta(backbone: Any) -> float:
    """The base of the rotary frequencies, in the configuration of any version of `transformers`."""
    parameters = getattr(backbone, "rope_parameters", None)
    return float(parameters["rope_theta"] if parameters else getattr(backbone, "rope_theta", 10000.0))


def geometry(config: Mapping[str, Any]) -> Geometry:
    """The geometry of a tracker's configuration, as `Sam3TrackerConfig.to_dict` or config.json gives it.

    Raises:
        UnsupportedModelError: sizes that do not agree or make no sense, or layers that are not there.
    """
    backbone = backbone_of(config)
    pyramid_files.check_given(backbone, model_type="sam3_vit_model")
    rotary = pyramid_files.section(backbone, "rope_parameters")
    if rotary.get("rope_type", ROTARY[0]) not in ROTARY:
        raise UnsupportedModelError(f"rope_type={rotary['rope_type']!r}: {ROTARY[0]!r} is needed, which SAM 3 has")
    if "rope_theta" in rotary:
        pyramid_files.check_positive(rotary, "rope_theta")
    patch = patch_of(backbone)
    width, heads = pyramid_files.count_of(backbone, "hidden_size"), pyramid_files.count_of(backbone, "num_attention_heads")
    if width % heads:
        raise UnsupportedModelError(f"num_attention_heads={heads}: they do not divide the hidden_size of {width}")
    for name in ("num_hidden_layers", "window_size", "intermediate_size", "num_channels"):
        pyramid_files.count_of(backbone, name)
    if (pretrained := pretrain_side(backbone)) < patch:
        raise UnsupportedModelError(f"pretrain_image_size={pretrained}: at least the patch_size of {patch} is needed")
    vision = vision_of(config)
    pyramid_files.check_given(vision, model_type="sam3_vision_model")
    # Of the encoder alone, for which images need not be square; the trained grid is that of the prompt encoder.
    if isinstance(size := backbone.get("image_size"), int) and size < patch:
        raise UnsupportedModelError(f"image_size={size} in backbone_config: at least the patch_size of {patch} is needed")
    check_neck(vision)
    pyramid_files.decoder_sizes(config)
    layers = tuple(sorted(pyramid_files.counts_of(backbone, "global_attn_indexes", least=0)))
    if not all(0 <= layer < backbone["num_hidden_layers"] for layer in layers):
        raise UnsupportedModelError(
            f"global_attn_indexes={list(layers)}: the encoder has {backbone['num_hidden_layers']} layers"
        )
    return Geometry(
        patch=patch,
        trained_side=pyramid_files.trained_side(config, patch, IMAGE_SIZE),
        layers=backbone["num_hidden_layers"],
        global_layers=layers,
        heads=backbone["num_attention_heads"],
        squashed=True,
        round_to=patch * backbone["window_size"],
    )
