"""Checkpoint files: their tensors, read without running anything that is in them, and what an unknown one looks like.

Pickled files go through `torch.load(weights_only=True)`, which builds tensors and plain containers and refuses all else.
Whether the tensors are those of a model is `shapes`' business.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from basam.families.base import UnsupportedModelError

# What keys begin with in files whose keys have no prefix.
PARTS = ("image_encoder", "vision_encoder", "prompt_encoder", "mask_decoder")
NEARLY_ALL = 0.9  # share of the keys that begin with a prefix, where a few tensors were added without it


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


def unwrap(path: Path, content: Any) -> Mapping[str, Tensor]:
    """The state dict in `content`: itself, or the one entry of it that is a dict of tensors (`model`, `state_dict`, ...)."""
    if not is_state(content):
        inside = {name: value for name, value in content.items() if is_state(value)} if isinstance(content, Mapping) else {}
        if len(inside) != 1:
            found = f"several: {', '.join(map(str, inside))}" if inside else f"none, but a {type(content).__name__}"
            raise UnsupportedModelError(f"{path} should hold one state dict; it holds {found}. Save the one to load by itself")
        (content,) = inside.values()
    return {str(key): value for key, value in content.items()}


def without_prefix(keys: Iterable[str]) -> tuple[dict[str, str], str]:
    """By the keys of a file, those without what they begin with (`module.` of DataParallel, `_orig_mod.` of torch.compile).

    Returns:
        the keys, and the beginning. A few keys may be without it: they stay as they are.
    """
    names, prefix = {key: key for key in keys}, ""
    while len(names) > 1 and (heads := Counter(name.partition(".")[0] for name in names.values() if "." in name)):
        head, count = heads.most_common(1)[0]
        if count < len(names) and (head in PARTS or count < NEARLY_ALL * len(names)):
            break
        shorter = {key: name.removeprefix(f"{head}.") for key, name in names.items()}
        if len(set(shorter.values())) < len(shorter):
            break  # two tensors would have one name
        names, prefix = shorter, f"{prefix}{head}."
    return names, prefix


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file as they are in it, by their keys in it; see `unwrap`."""
    return dict(unwrap(path, read(path)))


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, in float32 and in memory of their own, by key without prefix.

    Raises:
        UnsupportedModelError: one holds NaN or infinity; the message has its key in the file.
    """
    state = read_state(path)
    # Copies: a tensor that still lies in the file would change with it.
    own = {key: value.to(torch.float32 if value.is_floating_point() else None, copy=True) for key, value in state.items()}
    check_finite(path, own)
    names, _ = without_prefix(own)
    return {names[key]: value for key, value in own.items()}


def is_finite(tensor: Tensor) -> bool:
    """Whether no number of `tensor`, in float32, is NaN or infinite.

    Neither vanishes in a sum, which is quicker than looking at each number; and that of NumPy, in one thread, than waking
    torch's threads for each of hundreds of tensors: 30 times on a busy machine.
    """
    if not tensor.is_floating_point():
        return True
    numbers = tensor.detach().cpu().float().numpy()
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.add.reduce(numbers, axis=None)) or np.isfinite(numbers).all())  # a sum may be too large


def check_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse weights that hold NaN or infinity, for which every mask would be empty or wrong.

    Args:
        path: of the checkpoint, for the message.
        state: tensors by their keys in it.

    Raises:
        UnsupportedModelError: naming the tensors.
    """
    broken = [key for key, value in state.items() if not is_finite(value)]
    if broken:
        raise UnsupportedModelError(
            f"{path} holds NaN or infinity in {listed(broken)}: no mask can come of such weights; load a copy that is whole, "
            "or one from before the training went wrong"
        )


def listed(keys: Iterable[str]) -> str:
    """The first five keys, and how many there are."""
    keys = sorted(keys)
    return f"{', '.join(keys[:5])}{' ...' * (len(keys) > 5)} ({len(keys)})"


def fill(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Put `weights`, which fit, into `model` (built on the meta device), in evaluation mode."""
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval()
