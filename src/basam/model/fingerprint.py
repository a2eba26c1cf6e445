"""What weights a model has, as one number: adapters and mode files name the weights that they were made for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from basam.checks import fitting
from basam.families.shared import StoredTensor

if TYPE_CHECKING:
    from torch import Tensor, nn


def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of the state dict, in the order of names.

    Raises:
        InputTypeError: `model` is none.
    """
    import torch

    def content(tensor: Tensor) -> bytes:
        return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()

    state = fitting(model, torch.nn.Module, "model").state_dict()
    return digest_of((name, str(tensor.dtype), tuple(tensor.shape), content(tensor)) for name, tensor in sorted(state.items()))


def stored_fingerprint(state: Mapping[str, StoredTensor]) -> str:
    """That of a model into which these tensors are loaded."""
    parts = ((name, each, np.ascontiguousarray(each.read())) for name, each in sorted(state.items()))
    return digest_of((name, f"torch.{numbers.dtype.name}", each.shape, numbers.tobytes()) for name, each, numbers in parts)


def digest_of(parts: Iterable[tuple[str, str, tuple[int, ...], bytes]]) -> str:
    """Of names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, dtype, shape, content in parts:
        digest.update(f"{name} {dtype} {shape}\n".encode())
        digest.update(content)
    return digest.hexdigest()
