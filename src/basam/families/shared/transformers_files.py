"""Checkpoint folders in `transformers`' own layout: config.json beside safetensors (or an old pytorch_model.bin)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from basam.errors import InputError, MissingFileError
from basam.families.attachment import Geometry
from basam.families.base import ModelSummary, UnsupportedModelError, count_parameters
from basam.families.shared import checkpoints

# model_type in config.json: the class that loads it.
CLASSES = {
    "sam": "SamModel",
    "sam_vision_model": "SamVisionModel",
    "sam_hq": "SamHQModel",
    "sam_hq_vision_model": "SamHQVisionModel",
}

# What config.json may leave out, as in SamVisionConfig.
DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 1024,
    "patch_size": 16,
    "window_size": 14,
    "global_attn_indexes": (2, 5, 8, 11),
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
        raise InputError(f"{file} is not JSON ({error}): is the checkpoint complete?") from error
    if not isinstance(config, dict):
        raise InputError(f"{file} holds a {type(config).__name__}, not a JSON object: is the checkpoint complete?")
    return config


def recognises(path: Path) -> bool:
    config = read_config(path) if path.is_dir() else None
    return config is not None and config.get("model_type") in CLASSES


def load(path: Path, model_class: Any = None) -> nn.Module:
    """The model of a folder, in evaluation mode and float32; every tensor of the file and of the model is accounted for.

    Args:
        path: the folder.
        model_class: a class with `from_pretrained`; None: the one of `transformers` that config.json names.

    Raises:
        UnsupportedModelError: tensors are missing, superfluous or of another shape; the message names them. Or a pickled
            file holds more than tensors.
    """
    import transformers

    if not any(path.glob("model*.safetensors")):  # which are read, whatever lies beside them
        for file in path.glob("pytorch_model*.bin"):
            checkpoints.read(file)  # says in our words what torch refuses

    if model_class is None:
        config = read_config(path)
        if config is None or config.get("model_type") not in CLASSES:
            raise UnsupportedModelError(f"{path} is no SAM checkpoint in transformers' layout")
        model_class = getattr(transformers, CLASSES[config["model_type"]])
    options = {"dtype": "float32", "local_files_only": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        with quiet():  # messages about loading are ours: they are errors, not warnings
            model, info = model_class.from_pretrained(path, **options)
    except OSError as error:
        raise MissingFileError(f"{path} has no readable weights beside its config.json: {error}") from error
    misfit = checkpoints.problems(
        path,
        model_class.__name__,
        missing=info["missing_keys"],
        unexpected=info["unexpected_keys"],
        of_another_shape=[key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]],
    )
    if misfit is not None:
        raise misfit
    return model.eval()


@contextmanager
def quiet() -> Iterator[None]:
    """`transformers` without warnings and progress bars for the length of a block."""
    import transformers

    level, bar = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bar:
            transformers.logging.enable_progress_bar()


def summary(path: Path) -> ModelSummary:
    """The summary of a folder that `recognises` accepted."""
    config = read_config(path) or {}
    vision = DEFAULTS | config.get("vision_config", config if "vision" in config["model_type"] else {})
    patch, size = vision["patch_size"], (vision["hidden_size"], vision["num_hidden_layers"])
    geometry = Geometry(
        patch=patch,
        trained_side=vision["image_size"] // patch,
        layers=vision["num_hidden_layers"],
        global_layers=tuple(sorted(vision["global_attn_indexes"])),
        heads=vision["num_attention_heads"],
    )
    name = "SAM-HQ" if "hq" in config["model_type"] else "SAM"
    shapes = folder_shapes(path)
    return ModelSummary(
        architecture=f"{name} {vit_name(*size)}",
        geometry=geometry,
        parameters=count_parameters(shapes),
        windows=(vision["window_size"],),
        tensors=len(shapes),
        layout=f"transformers {CLASSES[config['model_type']]}",
    )


def weight_files(path: Path) -> list[Path]:
    """The files of all tensors beside a config.json, sharded or not."""
    files = sorted(path.glob("model*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    if not files:
        raise MissingFileError(f"{path} has no model.safetensors and no pytorch_model.bin beside its config.json")
    return files


def folder_state(path: Path) -> dict[str, Tensor]:
    """All tensors beside a config.json, for families that rename or leave out some before their model takes them."""
    return {key: value for file in weight_files(path) for key, value in checkpoints.read(file).items()}


def folder_shapes(path: Path) -> checkpoints.Shapes:
    """Shapes of all tensors beside a config.json; what is tied to another tensor counts once."""
    shapes = {key: shape for file in weight_files(path) for key, shape in checkpoints.read_shapes(file).items()}
    if "shared_image_embedding.positional_embedding" in shapes:
        shapes.pop("prompt_encoder.shared_embedding.positional_embedding", None)
    return shapes


def vit_name(hidden: int, layers: int) -> str:
    """ViT-B, ViT-L or ViT-H, or the sizes of any other."""
    return {(768, 12): "ViT-B", (1024, 24): "ViT-L", (1280, 32): "ViT-H"}.get((hidden, layers), f"ViT {hidden} x {layers}")
