"""Checks of arrays where callers hand them in: a mask and the pixels of a photograph."""

from __future__ import annotations

from typing import Any

import numpy as np

from basam.checks import shown
from basam.errors import InputError, InputTypeError


def check_mask(value: Any, name: str = "mask") -> None:
    """Raise unless `value` is a binary mask, `(H, W)` bool: numbers would mean something else.

    Raises:
        TypeError: it is no array.
        ValueError: its shape or dtype.
    """
    check_array(value, name, lambda: value.ndim == 2 and value.dtype == bool, "an (H, W) bool array")


def check_image(value: Any, name: str = "image") -> None:
    """Raise unless `value` is a photograph's pixels, `(H, W, 3)` uint8, at least one.

    Raises:
        TypeError: it is no array.
        ValueError: its shape or dtype.
    """
    fits = lambda: value.ndim == 3 and value.shape[2] == 3 and value.dtype == np.uint8 and value.size > 0  # noqa: E731
    check_array(value, name, fits, "an (H, W, 3) uint8 array with pixels")


def check_array(value: Any, name: str, fits: Any, words: str) -> None:
    if not isinstance(value, np.ndarray):
        raise InputTypeError(f"{shown(name, value)}: {words} is needed")
    if not fits():
        raise InputError(f"{name} of shape {value.shape} and {value.dtype}: {words} is needed")
