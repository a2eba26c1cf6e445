"""What callers of a predictor give, checked: sizes and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from basam.errors import InputError


def whole(name: str, value: Any) -> int:
    """A number of pixels that was given.

    Raises:
        ValueError: naming it, where it is no whole number above 0.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: a whole number of pixels, at least one, is needed")
    return int(value)


def checked_size(size: Any) -> tuple[int, int]:
    """Height and width as a caller of Meta's interface gives them."""
    if not isinstance(size, Sequence) or len(size) != 2:
        raise InputError(f"original_image_size={size!r}: height and width in pixels are needed")
    return whole("original_image_size", size[0]), whole("original_image_size", size[1])


def checked_shape(pixels: Any, patch: int) -> tuple[int, ...]:
    """The shape of an image that was resized already; ValueError where it is none."""
    if not isinstance(pixels, Tensor):
        raise InputError(f"transformed_image is a {type(pixels).__name__}: a tensor is needed")
    shape = tuple(pixels.shape)
    if len(shape) != 4 or shape[:2] != (1, 3) or max(shape[2:]) < patch or min(shape[2:]) < 1:
        raise InputError(f"transformed_image of shape {shape}: (1, 3, height, width) is needed, with a side of {patch} px")
    if pixels.is_complex() or not bool(pixels.float().isfinite().all()):
        raise InputError(f"transformed_image of {pixels.dtype} holds NaN, infinity or complex numbers")
    return shape
