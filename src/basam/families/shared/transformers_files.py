"""Checkpoint folders in `transformers`' own layout: config.json beside safetensors (or an old pytorch_model.bin)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.errors import MissingFileError
from basam.families.base import ModelSummary, UnsupportedModelError, count_parameters
from basam.families.geometry import Geometry
from basam.families.shared import layout, meta_files
from basam.families.shared.config_fields import read_config
from basam.families.shared.shapes import Shapes
from basam.families.shared.stored import StoredTensor, check_types
from basam.families.shared.transformers_sizes import read_sizes
from basam.families.shared.weight_files import stored_folder_shapes, stored_state

if TYPE_CHECKING:
    from torch import nn

# model_type in config.json: the class that loads it.
CLASSES = {
    "sam": "SamModel",
    "sam_vision_model": "SamVisionModel",
    "sam_hq": "SamHQModel",
    "sam_hq_vision_model": "SamHQVisionModel",
}

# The encoding of positions has two names for one tensor: a file may have either, or both.
SHARED = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")


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

    from basam.families.shared import checkpoints

    folder_shapes(path, expected_tensors(path) if expected is None else expected)
    check_types(path, stored_state(path))  # transformers takes whole numbers for floating-point ones
    if model_class is None:
        model_class = getattr(transformers, CLASSES[(read_config(path) or {})["model_type"]])
    options = {"dtype": "float32", "local_files_only": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        with quiet():  # what it warns of was checked already
            model, info = built(lambda: model_class.from_pretrained(path, **options), path)
    except OSError as error:
        raise MissingFileError(f"{path} has no readable weights beside its config.json: {error}") from error
    if unread := [*info["missing_keys"], *info["unexpected_keys"], *info["mismatched_keys"]]:
        raise UnsupportedModelError(f"{path}: transformers {transformers.__version__} does not read {unread[:5]} of it")
    checkpoints.check_finite(path, model.state_dict())
    return model.eval()


def built(build: Callable[[], Any], path: Path) -> Any:
    """`build()`, with an error that names the file where `transformers` does not take the configuration."""
    try:
        return build()
    except (OSError, MemoryError):
        raise
    except Exception as error:  # whatever transformers raises, on any number of lines
        words = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else str(error)
        words = " ".join(words.split())
        raise UnsupportedModelError(f"{path}: transformers does not take this configuration: {words}") from error


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


def folder_shapes(path: Path, expected: Mapping[str, tuple[int, ...]]) -> Shapes:
    """Shapes of all tensors beside a config.json, sharded or not; what is tied to another tensor counts once.

    Raises:
        UnsupportedModelError: they are not those that are expected; the message names them. Or an adapter lies beside them,
            which `transformers` would put on the model.
    """
    if (adapter := path / "adapter_config.json").is_file():
        raise UnsupportedModelError(f"{adapter}: adapters of PEFT are not loaded; merge it into the weights and take it away")
    shapes = stored_folder_shapes(path)
    there = [name for name in SHARED if name in shapes] or SHARED[:1]
    shapes.compare({key: shape for key, shape in expected.items() if key not in SHARED or key in there})
    for name in there[1:]:
        shapes.pop(name)
    return shapes


def loaded_state(path: Path) -> dict[str, StoredTensor]:
    """The state dict of the model of a folder, in which what has two names is there twice."""
    state = stored_state(path)
    shared = next((state[name] for name in SHARED if name in state), None)
    return state if shared is None else state | dict.fromkeys(SHARED, shared)


def vit_name(hidden: int, layers: int) -> str:
    """ViT-B, ViT-L or ViT-H, or the sizes of any other."""
    return {(768, 12): "ViT-B", (1024, 24): "ViT-L", (1280, 32): "ViT-H"}.get((hidden, layers), f"ViT {hidden} x {layers}")
