"""Checkpoint folders in `transformers`' own layout: config.json beside safetensors (or an old pytorch_model.bin)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from torch import nn

from basam.families.base import UnsupportedModelError

# model_type in config.json: the class that loads it.
CLASSES = {
    "sam": "SamModel",
    "sam_vision_model": "SamVisionModel",
    "sam_hq": "SamHQModel",
    "sam_hq_vision_model": "SamHQVisionModel",
}


def read_config(path: Path) -> dict[str, Any] | None:
    """config.json of a checkpoint folder; None where there is none.

    Raises:
        ValueError: config.json is no JSON object.
    """
    file = path / "config.json"
    if not file.is_file():
        return None
    try:
        config = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not JSON ({error}): is the checkpoint complete?") from error
    if not isinstance(config, dict):
        raise ValueError(f"{file} holds a {type(config).__name__}, not a JSON object: is the checkpoint complete?")
    return config


def recognises(path: Path) -> bool:
    config = read_config(path) if path.is_dir() else None
    return config is not None and config.get("model_type") in CLASSES


def load(path: Path) -> nn.Module:
    """The model of a folder, in evaluation mode and float32; every tensor of the file and of the model is accounted for.

    Raises:
        UnsupportedModelError: tensors are missing, superfluous or of another shape; the message names them.
    """
    config = read_config(path)
    if config is None or config.get("model_type") not in CLASSES:
        raise UnsupportedModelError(f"{path} is no SAM checkpoint in transformers' layout")
    model_class = getattr(transformers, CLASSES[config["model_type"]])
    options = {"dtype": "float32", "local_files_only": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
    # Messages about loading are ours: they are errors, not warnings.
    level, bar = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model, info = model_class.from_pretrained(path, **options)
    except OSError as error:
        raise FileNotFoundError(f"{path} has no readable weights beside its config.json: {error}") from error
    finally:
        transformers.logging.set_verbosity(level)
        if bar:
            transformers.logging.enable_progress_bar()
    problems = [
        f"{what}: {', '.join(sorted(map(str, keys))[:5])}{' ...' if len(keys) > 5 else ''} ({len(keys)})"
        for what, keys in (
            ("missing", info["missing_keys"]),
            ("unexpected", info["unexpected_keys"]),
            ("of another shape", [key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]]),
        )
        if keys
    ]
    if problems:
        raise UnsupportedModelError(f"{path} does not fit {model_class.__name__}: tensors {'; '.join(problems)}")
    return model.eval()
