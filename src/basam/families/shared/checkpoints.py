"""Checkpoint files: their tensors, read without running anything that is in them, and what an unknown one looks like.

Pickled files go through `torch.load(weights_only=True)`, which builds tensors and plain containers and refuses all else.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from basam.families.base import UnsupportedModelError

Shapes = dict[str, tuple[int, ...]]

# A key or a part of one, and what a file with it is. The first that fits is named.
LOOKS = (
    ("mask_decoder.hf_token", "SAM-HQ's own file; basam.load takes SAM-HQ in transformers' layout"),
    ("sam_mask_decoder.", "SAM 2 without its image encoder, or with parts named otherwise; give the whole file"),
    ("image_encoder.trunk", "the image encoder of SAM 2 alone; give the whole file"),
    ("memory_attention.", "the part of SAM 2 that only videos need; give the whole file"),
    ("lora_", "a model with LoRA adapters; merge them into its weights first"),
    ("Adapter.", "a SAM with adapter layers, which plain SAM does not have"),
    ("vision_encoder.", "transformers' SAM without its config.json; give the folder that holds both"),
    ("image_encoder.", "a SAM-like model whose parts are named otherwise"),
    ("layer1.0.conv1.weight", "a ResNet"),
    ("cls_token", "a plain ViT"),
)


def refuse(path: Path, error: Exception) -> UnsupportedModelError:
    """The error for a file that `torch.load` did not read."""
    found = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", str(error))
    if found:
        return UnsupportedModelError(
            f"{path} holds more than tensors ({found[1]}) and is not loaded: unpickling it could run code of its author. "
            "Save its state_dict() where you trust it, and load that"
        )
    with path.open("rb") as stream:
        if stream.read(23) == b"version https://git-lfs":
            return UnsupportedModelError(f"{path} is a Git LFS pointer, not the checkpoint itself: run `git lfs pull`")
    return UnsupportedModelError(
        f"{path} is no checkpoint, or an incomplete one: a file of {path.stat().st_size} bytes that neither torch nor "
        "safetensors reads"
    )


def read(path: Path) -> Any:
    """What a checkpoint file holds: tensors (from the file as needed, where its format allows it) and plain containers.

    Raises:
        UnsupportedModelError: it holds anything else, or is no checkpoint; nothing of it was executed.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise refuse(path, error) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # torch raises nearly anything on a file that is none of its own
        raise refuse(path, error) from error


def is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(item, Tensor) for item in value.values())


def unwrap(path: Path, content: Any) -> dict[str, Tensor]:
    """The state dict in `content`: itself, or the one entry of it that is a dict of tensors (`model`, `state_dict`, ...).

    What all keys begin with (`module.` of DataParallel, `_orig_mod.` of torch.compile) is taken off.
    """
    if not is_state(content):
        inside = {name: value for name, value in content.items() if is_state(value)} if isinstance(content, Mapping) else {}
        if len(inside) != 1:
            found = f"several: {', '.join(map(str, inside))}" if inside else f"none, but a {type(content).__name__}"
            raise UnsupportedModelError(f"{path} should hold one state dict; it holds {found}. Save the one to load by itself")
        (content,) = inside.values()
    state = {str(key): value for key, value in content.items()}
    while len(heads := {key.partition(".")[0] for key in state}) == 1 and all("." in key for key in state):
        prefix = len(heads.pop()) + 1
        state = {key[prefix:]: value for key, value in state.items()}
    return state


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict of a checkpoint file; see `read` and `unwrap`."""
    return unwrap(path, read(path))


def read_shapes(path: Path) -> Shapes:
    """Shapes of all tensors of a checkpoint file, by key. Kept while the file stays as it is: every family asks."""
    stat = path.stat()
    return dict(shapes_of(path, stat.st_mtime_ns, stat.st_size))


def holds(path: Path, *keys: str) -> bool:
    """Whether `path` is a checkpoint file with these keys; a file that cannot be read has none."""
    if not path.is_file():
        return False
    try:
        return set(keys) <= read_shapes(path).keys()
    except UnsupportedModelError:
        return False


@lru_cache(maxsize=8)
def shapes_of(path: Path, modified: int, size: int) -> Shapes:
    if path.suffix != ".safetensors":
        return {key: tuple(value.shape) for key, value in read_state(path).items()}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as tensors:  # reads the header only
            return {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise refuse(path, error) from error


def looks_like(keys: Iterable[str]) -> str:
    """What a state dict with these keys is, in a few words."""
    keys = list(keys)
    for part, name in LOOKS:
        if any(part in key for key in keys):
            return f"it looks like {name}"
    return f"a state dict of {len(keys)} tensors, the first: {', '.join(keys[:3])}"


def problems(path: Path, name: str, **found: Iterable[str]) -> UnsupportedModelError | None:
    """The error that names the tensors of each kind in `found` (`missing=...`); None where there are none."""
    listed = {kind.replace("_", " "): sorted(keys) for kind, keys in found.items()}
    parts = [f"{kind}: {', '.join(keys[:5])}{' ...' * (len(keys) > 5)} ({len(keys)})" for kind, keys in listed.items() if keys]
    return UnsupportedModelError(f"{path} does not fit {name}: tensors {'; '.join(parts)}") if parts else None


def check_fit(model: nn.Module, state: Mapping[str, Tensor], path: Path, name: str) -> None:
    """Compare `state` with `model` (built on the meta device) tensor by tensor.

    Raises:
        UnsupportedModelError: naming tensors that are missing, unexpected or of another shape.
    """
    expected = model.state_dict()
    error = problems(
        path,
        name,
        missing=expected.keys() - state.keys(),
        unexpected=state.keys() - expected.keys(),
        of_another_shape=(key for key in expected.keys() & state.keys() if expected[key].shape != state[key].shape),
    )
    if error is not None:
        looks = looks_like(state)
        raise UnsupportedModelError(f"{error}; {looks}") if looks.startswith("it looks") else error


def fill(model: nn.Module, state: Mapping[str, Tensor], path: Path, name: str) -> nn.Module:
    """Put `state` into `model` (built on the meta device), in float32 and evaluation mode; every tensor must fit.

    Raises:
        UnsupportedModelError: see `check_fit`.
    """
    check_fit(model, state, path, name)
    # Copies: a tensor that still lies in the file would change with it.
    own = {key: value.to(torch.float32 if value.is_floating_point() else None, copy=True) for key, value in state.items()}
    model.load_state_dict(own, strict=True, assign=True)
    return model.eval()
