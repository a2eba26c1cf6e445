"""What a run was made with: the model's weights, the data, the versions of the libraries."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata

import torch
from torch import nn

LIBRARIES = (
    "torch",
    "transformers",
    "numpy",
    "pillow",
    "pysodmetrics",
    "faster-coco-eval",
    "opencv-python-headless",
    "accelerate",
)


def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of the state dict, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def names_fingerprint(names: Iterable[str]) -> str:
    """SHA-256 over the ids of samples, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, of basam and of the libraries that figures depend on."""
    from basam import __version__

    found = {"python": platform.python_version(), "basam": __version__}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
