"""Sizes of SAM 3's image encoder, and of other ones from a configuration of `transformers`.

Source: Carion et al., "SAM 3: Segment Anything with Concepts", 2025.
"""

from __future__ import annotations

from typing import Any

from basam.families.base import UnsupportedModelError
from basam.families.geometry import Geometry
from basam.families.shared import check_heads, check_layers, pyramid_files, require

ROTARY = ("axial", "default")  # what versions of transformers call the rotary positions that SAM 3 has
SCALES = (4.0, 2.0, 1.0, 0.5)  # that the neck makes feature maps at, relative to the encoder's grid


def tracker_config(config: dict[str, Any]) -> dict[str, Any]:
    """The tracker's part of a configuration: all of it, or one section if there is a detector too.

    A detector's configuration has only the encoder, which both share.
    """
    if config.get("model_type") == "sam3":
        return {"vision_config": config.get("vision_config")}
    return config.get("tracker_config") or config


def rotary_theta(backbone: Any) -> float:
    """The base of the rotary frequencies, in the configuration of any version of `transformers`."""
    parameters = getattr(backbone, "rope_parameters", None)
    return float(parameters["rope_theta"] if parameters else getattr(backbone, "rope_theta", 10000.0))


def geometry(config: Any) -> Geometry:
    """The geometry of a `Sam3TrackerConfig`.

    Raises:
        UnsupportedModelError: sizes that contradict each other or are invalid, or layers that do not exist; names the field and
            its value.
    """
    vision = config.vision_config
    backbone = vision.backbone_config
    require(vision, model_type="sam3_vision_model")
    require(backbone, model_type="sam3_vit_model")
    check_heads(backbone)
    rotary = getattr(backbone, "rope_parameters", None) or {}
    if (kind := rotary.get("rope_type", ROTARY[0])) not in ROTARY:
        raise UnsupportedModelError(f"rope_type={kind!r}: {ROTARY[0]!r} is needed, which SAM 3 has")
    scales, first = vision.scale_factors, [float(scale) for scale in pyramid_files.SCALES]
    if list(scales[: len(first)]) != first or not set(scales) <= set(SCALES):
        raise UnsupportedModelError(f"scale_factors={scales!r}: 4.0, 2.0, 1.0 and any of {SCALES} after them are needed")
    patch = pyramid_files.side_of(backbone.patch_size, "patch_size of backbone_config")
    if backbone.window_size < 1:
        raise UnsupportedModelError(f"window_size={backbone.window_size}: a number above 0 is needed")
    return Geometry(
        patch=patch,
        trained_side=pyramid_files.trained_side(config, patch),
        layers=backbone.num_hidden_layers,
        global_layers=check_layers("global_attn_indexes", backbone.global_attn_indexes, backbone.num_hidden_layers),
        heads=backbone.num_attention_heads,
        squashed=True,
        round_to=patch * backbone.window_size,
    )
