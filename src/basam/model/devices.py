"""Devices by name; raises one line if this machine or this build of torch does not have them."""

from __future__ import annotations

import torch

from basam.checks import device_name_of
from basam.errors import InputError


def find_device(name: str | torch.device) -> torch.device:
    """`cpu`, `cuda`, `cuda:1`, `mps`, or `auto`: CUDA if available, else the CPU.

    Raises:
        InputError: an unknown name, or a device that is not available; the message lists the available ones.
    """
    if str(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(device_name_of(name))
    present = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= present[device.type]:
        there = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in present.items() if count)
        raise InputError(f"device {str(name)!r} is not available: this machine, with torch {torch.__version__}, has {there}")
    return device


def device_name(device: torch.device) -> str:
    """The device for people and records: `cpu`, `cuda:0 (NVIDIA H100)`."""
    return f"cuda:{device.index or 0} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
