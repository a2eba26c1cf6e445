"""What weights a model has, as one number: adapters and mode files name the weights that they were made for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from basam.checks import instance_of

if TYPE_CHECKING:
    from torch import nn


def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of the state dict, in the order of names.

    Raises:
        InputTypeError: `model` is none.
    """
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(instance_of(model, "model", torch.nn.Module).state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
