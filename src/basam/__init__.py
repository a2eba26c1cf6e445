"""Segment Anything at the image's own resolution: bias-mode attention for a pretrained SAM."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from basam.attaching import attach, attached, detach
    from basam.families import UnsupportedModelError
    from basam.images import ImageError
    from basam.method import BiasMode
    from basam.models import load
    from basam.predictor import Predictor

__version__ = "0.1.0"

# Where each public name lives. They are imported when first used: `basam --help` must not wait for torch.
NAMES = {
    "BiasMode": "basam.method",
    "ImageError": "basam.images",
    "Predictor": "basam.predictor",
    "UnsupportedModelError": "basam.families",
    "attach": "basam.attaching",
    "attached": "basam.attaching",
    "detach": "basam.attaching",
    "load": "basam.models",
}

__all__ = ["BiasMode", "ImageError", "Predictor", "UnsupportedModelError", "attach", "attached", "detach", "load"]


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'basam' has no attribute {name!r}")
    value = getattr(importlib.import_module(NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *NAMES])
