"""Arrays that arguments are, as annotations that `checks.checked` checks: masks and pixels of photographs."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from basam.check_words import shown
from basam.errors import InputError, InputTypeError


def checked_array(value: Any, name: str, fits: bool, words: str) -> Any:
    if not isinstance(value, np.ndarray):
        raise InputTypeError(f"{shown(name, value)}: {words} is needed")
    if not fits:
        raise InputError(f"{name} of shape {value.shape} and {value.dtype}: {words} is needed")
    return value


def mask_array(value: Any, name: str) -> Any:
    """Refuse what is no mask."""
    fits = isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype == bool
    return checked_array(value, name, fits, "an (H, W) bool array")


def rgb_array(value: Any, name: str) -> Any:
    """Refuse what are no pixels of a photograph."""
    fits = isinstance(value, np.ndarray) and value.ndim == 3 and value.shape[2] == 3 and value.dtype == np.uint8
    return checked_array(value, name, fits and value.size > 0, "an (H, W, 3) uint8 array with pixels")


def box_array(value: Any, name: str) -> Any:
    """Refuse what are no four numbers."""
    fits = isinstance(value, np.ndarray) and value.shape == (4,) and value.dtype.kind in "fiu"
    return checked_array(value, name, fits, "a (4,) array x0, y0, x1, y1")


def points_array(value: Any, name: str) -> Any:
    """Refuse what are no points, at least one."""
    fits = isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == 2 and value.dtype.kind in "fiu"
    return checked_array(value, name, fits and len(value) > 0, "a (P, 2) array of x, y with at least one point")


def runs_array(value: Any, name: str) -> Any:
    """Refuse what are no lengths of runs."""
    fits = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu"
    return checked_array(value, name, fits, "a (R,) array of whole numbers")


Box = Annotated[NDArray[np.float64], box_array]
Points = Annotated[NDArray[np.float64], points_array]
Runs = Annotated[NDArray[np.int64], runs_array]
Mask = Annotated[NDArray[np.bool_], mask_array]
Pixels = Annotated[NDArray[np.uint8], rgb_array]
