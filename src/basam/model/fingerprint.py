"""What weights a model has, as one number: adapters and mode files name the weights that they were made for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn

from basam.checks import checked


@checked
def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of the state dict, in the order of names."""
    return state_fingerprint(model.state_dict())


def state_fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """That of a model with such a state dict."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
