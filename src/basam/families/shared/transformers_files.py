"""Checkpoint folders in `transformers`' own layout: config.json beside safetensors (or an old pytorch_model.bin)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from basam.errors import InputError, MissingFileError
from basam.families.attachment import Geometry
from basam.families.base import ModelSummary, UnsupportedModelError, count_parameters
from basam.families.shared import checkpoints, layout, meta_files
from basam.families.shared.shapes import Shapes, stored_shapes
from basam.files import read_json

# model_type in config.json: the class that loads it.
CLASSES = {
    "sam": "SamModel",
    "sam_vision_model": "SamVisionModel",
    "sam_hq": "SamHQModel",
    "sam_hq_vision_model": "SamHQVisionModel",
}

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
MLP_RATIO = 4.0

# The encoding of positions has two names for one tensor: a file may have either, or both.
SHARED = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")


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


def read_sizes(path: Path) -> dict[str, dict[str, Any]]:
    """Sizes in the config.json of a folder, with the defaults of `transformers` for what it leaves out.

    Raises:
        ValueError: it holds no JSON object, or a size that is no whole number.
    """
    config = read_config(path) or {}
    if "vision" in config.get("model_type", ""):
        config = {"vision_config": config}
    found = {part: defaults | (config.get(part) or {}) for part, defaults in DEFAULTS.items()}
    vision = found["vision_config"]
    vision["mlp_dim"] = vision.get("mlp_dim") or int(vision["hidden_size"] * vision.get("mlp_ratio", MLP_RATIO))
    vision["global_attn_indexes"] = vision.get("global_attn_indexes", GLOBAL_LAYERS)
    for part, defaults in DEFAULTS.items():
        for name, default in defaults.items():
            value = found[part][name]
            least = 0 if name in ("window_size", "num_hidden_layers") or isinstance(default, bool) else 1
            if type(value) is not type(default) or value < least:
                kind = "true or false" if isinstance(default, bool) else "a whole number above 0"
                raise InputError(f"{path / 'config.json'}: {name}={value!r} in {part}: {kind} is needed")
    return found


def expected_tensors(path: Path) -> dict[str, tuple[int, ...]]:
    """The tensors that the config.json of a folder promises, for one of `CLASSES`."""
    kind, configs = (read_config(path) or {}).get("model_type", ""), read_sizes(path)
    vision, decoder = configs["vision_config"], configs["mask_decoder_config"]
    found = layout.image_encoder(vision)
    if "vision" in kind:
        return meta_files.to_transformers(found, meta_files.IMAGE_ENCODER)
    found |= layout.prompts_and_masks(configs, vision["num_pos_feats"])
    return meta_files.to_transformers(found, meta_files.IMAGE_ENCODER) | (layout.high_quality(decoder) if "hq" in kind else {})


def load(path: Path, model_class: Any = None, expected: Mapping[str, tuple[int, ...]] | None = None) -> nn.Module:
    """The model of a folder, in evaluation mode and float32; every tensor of the file and of the model is accounted for.

    Args:
        path: the folder.
        model_class: a class with `from_pretrained`; None: the one of `transformers` that config.json names.
        expected: its tensors; None: those of `expected_tensors`.

    Raises:
        UnsupportedModelError: tensors are missing, superfluous, of another shape or not finite; the message names them. Or a
            pickled file holds more than tensors.
    """
    import transformers

    folder_shapes(path, expected_tensors(path) if expected is None else expected)
    if model_class is None:
        model_class = getattr(transformers, CLASSES[(read_config(path) or {})["model_type"]])
    options = {"dtype": "float32", "local_files_only": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        with quiet():  # what it warns of was checked already
            model, info = model_class.from_pretrained(path, **options)
    except OSError as error:
        raise MissingFileError(f"{path} has no readable weights beside its config.json: {error}") from error
    if unread := [*info["missing_keys"], *info["unexpected_keys"], *info["mismatched_keys"]]:
        raise UnsupportedModelError(f"{path}: transformers {transformers.__version__} does not read {unread[:5]} of it")
    checkpoints.check_finite(path, model.state_dict())
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
    """The summary of a folder that `recognises` accepted.

    Raises:
        UnsupportedModelError, ValueError: as `load` does for what config.json and the headers of the weights say.
    """
    kind, vision = (read_config(path) or {})["model_type"], read_sizes(path)["vision_config"]
    shapes = folder_shapes(path, expected_tensors(path))
    geometry = Geometry(
        patch=vision["patch_size"],
        trained_side=vision["image_size"] // vision["patch_size"],
        layers=vision["num_hidden_layers"],
        global_layers=tuple(sorted(vision["global_attn_indexes"])),
        heads=vision["num_attention_heads"],
    )
    return ModelSummary(
        architecture=f"{'SAM-HQ' if 'hq' in kind else 'SAM'} {vit_name(vision['hidden_size'], vision['num_hidden_layers'])}",
        geometry=geometry,
        parameters=count_parameters(shapes),
        windows=(vision["window_size"],),
        tensors=len(shapes),
        layout=f"transformers {CLASSES[kind]}",
    )


def weight_files(path: Path) -> list[Path]:
    """The files of weights beside a config.json.

    Raises:
        MissingFileError: there are none.
    """
    files = sorted(path.glob("model*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    if not files:
        raise MissingFileError(
            f"{path} has no readable weights: no model.safetensors and no pytorch_model.bin beside its config.json"
        )
    return files


def is_complete(path: Path) -> bool:
    """Whether a folder holds weights, and all the shards that their index names."""
    for suffix in ("safetensors", "bin"):
        there = {file.name for file in path.glob(f"*.{suffix}")}
        if there:
            shards = {file for index in path.glob(f"*.{suffix}.index.json") for file in read_json(index)["weight_map"].values()}
            return shards <= there
    return False


def stored_folder_shapes(path: Path) -> Shapes:
    """Shapes of all tensors beside a config.json, sharded or not, by their keys there."""
    return Shapes(
        path, {key: shape for file in weight_files(path) for key, shape in stored_shapes(file).items()}, whole_keys=True
    )


def folder_shapes(path: Path, expected: Mapping[str, tuple[int, ...]]) -> Shapes:
    """Shapes of all tensors beside a config.json, sharded or not; what is tied to another tensor counts once.

    Raises:
        UnsupportedModelError: they are not those that are expected; the message names them.
    """
    shapes = stored_folder_shapes(path)
    there = [name for name in SHARED if name in shapes] or SHARED[:1]
    shapes.compare({key: shape for key, shape in expected.items() if key not in SHARED or key in there})
    for name in there[1:]:
        shapes.pop(name)
    return shapes


def folder_state(path: Path) -> dict[str, Tensor]:
    """All tensors beside a config.json, sharded or not, by their keys there.

    Raises:
        UnsupportedModelError: a pickled file holds more than tensors.
    """
    return {key: value for file in weight_files(path) for key, value in checkpoints.read_state(file).items()}


def loaded_state(path: Path) -> dict[str, Tensor]:
    """The state dict of the model of a folder: floating-point tensors are float32, and what has two names is there twice."""
    state = folder_state(path)
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    shared = next((state[name] for name in SHARED if name in state), None)
    return state if shared is None else state | dict.fromkeys(SHARED, shared)


def vit_name(hidden: int, layers: int) -> str:
    """ViT-B, ViT-L or ViT-H, or the sizes of any other."""
    return {(768, 12): "ViT-B", (1024, 24): "ViT-L", (1280, 32): "ViT-H"}.get((hidden, layers), f"ViT {hidden} x {layers}")
