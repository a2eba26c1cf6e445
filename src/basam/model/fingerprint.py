"""A hash of a model's weights: adapters and mode files store it for the weights that they were made for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from basam.checks import instance_of

if TYPE_CHECKING:
    from torch import nn


def model_fingerprint(model: nn.Module, *, as_float32: bool = False) -> str:
    """SHA-256 over names, types, shapes and bytes of the state dict, in the order of names.

    Args:
        as_float32: the fingerprint after conversion to float32, as by `basam.load`.

    Raises:
        InputTypeError: `model` is not a module.
    """
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(instance_of(model, "model", torch.nn.Module).state_dict().items()):
        if as_float32 and tensor.is_floating_point():
            tensor = tensor.float()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
