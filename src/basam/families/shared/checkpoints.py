"""Tensors of checkpoint files for a model, read without running anything that is in the files.

Pickled files go through `torch.load(weights_only=True)`, which builds tensors and plain containers and refuses all else.
Whether the tensors are those of a model is `shapes`' business.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from basam.families.base import UnsupportedModelError
from basam.families.shared import stored
from basam.families.shared.state_dicts import check_numbers, is_safetensors, listed, refuse, unwrap, without_prefix


def read(path: Path) -> Any:
    """What a checkpoint file holds: tensors (from the file as needed, where its format allows it) and plain containers.

    Raises:
        UnsupportedModelError: it holds anything else, or is no checkpoint; nothing of it was executed.
    """
    if is_safetensors(path):
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise refuse(path, error) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_mappable(path))
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # torch raises nearly anything on a file that is none of its own
        raise refuse(path, error) from error


def is_mappable(path: Path) -> bool:
    """Whether numbers lie in a file as they are: torch would take packed ones for numbers."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(each.compress_type == zipfile.ZIP_STORED for each in archive.infolist())


def read_state(path: Path, wrapped: bool = True) -> dict[str, Tensor]:
    """The tensors of a checkpoint file as they are in it, by their keys in it; see `unwrap`.

    Raises:
        UnsupportedModelError: one is sparse, nested or has no numbers.
    """
    state = unwrap(path, read(path), Tensor, wrapped)
    odd = [key for key, value in state.items() if value.is_nested or value.is_meta or value.layout != torch.strided]
    if odd:
        raise UnsupportedModelError(f"{path} holds tensors that are sparse, nested or without numbers: {listed(odd)}")
    return {key: value.detach().resolve_conj().resolve_neg() for key, value in state.items()}


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, in float32 and in memory of their own, by key without prefix.

    Raises:
        UnsupportedModelError: one holds NaN or infinity; the message has its key in the file.
    """
    state = read_state(path)
    # Copies: a tensor that still lies in the file would change with it.
    stored.check_types(path, {key: as_stored(value) for key, value in state.items()})
    own = {key: value.to(torch.float32 if value.is_floating_point() else None, copy=True) for key, value in state.items()}
    check_finite(path, own)
    names, _ = without_prefix(own)
    return {names[key]: value for key, value in own.items()}


def is_finite(tensor: Tensor) -> bool:
    """Whether no number of `tensor`, in float32, is NaN or infinite."""
    return not tensor.is_floating_point() or stored.is_finite(tensor.detach().cpu().float().numpy())


def check_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    """`check_numbers` of tensors by their keys in the file.

    Raises:
        UnsupportedModelError: naming those that hold NaN or infinity.
    """
    check_numbers(path, [key for key, value in state.items() if not is_finite(value)])


def as_stored(tensor: Tensor) -> stored.StoredTensor:
    """A tensor that torch alone can read, beside those that need no torch."""
    return stored.StoredTensor(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), lambda: numbers_of(tensor))


def numbers_of(tensor: Tensor) -> Any:
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def fill(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Put `weights`, which fit, into `model` (built on the meta device), in evaluation mode."""
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval()
