"""Sizes of SAM and SAM-HQ in a config.json of `transformers`, with its defaults for what is left out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from basam.checks import is_whole
from basam.errors import InputError
from basam.families.shared.config_fields import MOST, check_fields, read_config

# What config.json may leave out, as in SamConfig and SamHQConfig. A flag or a number says what kind of value is needed.
DEFAULTS: dict[str, dict[str, Any]] = {
    "vision_config": {
        "hidden_size": 768,
        "num_channels": 3,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 1024,
        "patch_size": 16,
        "window_size": 14,
        "output_channels": 256,
        "num_pos_feats": 128,
        "qkv_bias": True,
        "use_abs_pos": True,
        "use_rel_pos": True,
    },
    "prompt_encoder_config": {"hidden_size": 256, "mask_input_channels": 16, "num_point_embeddings": 4},
    "mask_decoder_config": {
        "hidden_size": 256,
        "mlp_dim": 2048,
        "num_hidden_layers": 2,
        "attention_downsample_rate": 2,
        "num_multimask_outputs": 3,
        "iou_head_depth": 3,
        "iou_head_hidden_dim": 256,
        "vit_dim": 768,
    },
}
GLOBAL_LAYERS = (2, 5, 8, 11)
# Of which there is one module each.
COUNTED = ("num_hidden_layers", "num_point_embeddings", "num_multimask_outputs", "iou_head_depth")
MLP_RATIO, DECODER_HEADS = 4.0, 8


def read_sizes(path: Path) -> dict[str, dict[str, Any]]:
    """Sizes in the config.json of a folder, with the defaults of `transformers` for what it leaves out.

    Raises:
        UnsupportedModelError, ValueError: it holds no JSON object, or a value that is none of its field.
    """
    config = read_config(path) or {}
    check_fields(config, path)
    if "vision" in config.get("model_type", ""):
        config = {"vision_config": config}
    found = {part: defaults | (config.get(part) or {}) for part, defaults in DEFAULTS.items()}
    vision = found["vision_config"]
    for part, defaults in DEFAULTS.items():
        for name, default in defaults.items():
            value, needed = found[part][name], kind_of(name, default)
            if type(value) is not type(default) or not needed.start <= value < needed.stop:
                raise InputError(f"{path / 'config.json'}: {name}={value!r} in {part}: {words_of(needed)} is needed")
    vision["mlp_dim"] = vision.get("mlp_dim") or int(vision["hidden_size"] * vision.get("mlp_ratio", MLP_RATIO))
    vision["global_attn_indexes"] = global_layers(vision, path)
    decoder = found["mask_decoder_config"]
    if decoder["hidden_size"] % (heads := decoder.get("num_attention_heads", DECODER_HEADS)):
        raise InputError(
            f"{path / 'config.json'}: num_attention_heads={heads} in mask_decoder_config: they do not divide its hidden_size "
            f"of {decoder['hidden_size']}"
        )
    return found


def kind_of(name: str, default: Any) -> range:
    """The whole numbers that a field may be; flags are 0 and 1."""
    if isinstance(default, bool):
        return range(2)
    return range(0 if name in ("window_size", "num_hidden_layers") else 1, MOST + 1 if name in COUNTED else sys.maxsize)


def words_of(kind: range) -> str:
    if kind == range(2):
        return "true or false"
    return "a whole number above 0" if kind.stop == sys.maxsize else f"a whole number above 0 and up to {MOST}"


def global_layers(vision: Mapping[str, Any], path: Path) -> tuple[int, ...]:
    """Indexes of the layers that attend over the whole grid.

    Raises:
        InputError: they are no list of layers.
    """
    found, layers = vision.get("global_attn_indexes", GLOBAL_LAYERS), vision["num_hidden_layers"]
    whole = isinstance(found, (list, tuple)) and all(is_whole(layer, 0) for layer in found)
    if not whole or (layers and any(layer >= layers for layer in found)):  # the encoder of MobileSAM has its layers elsewhere
        raise InputError(
            f"{path / 'config.json'}: global_attn_indexes={found!r} in vision_config: a list of layers, counted from 0, of the "
            f"{layers} is needed"
        )
    return tuple(found)
