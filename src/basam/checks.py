"""What arguments must be: each check names the argument and its value, and says what is needed."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from basam.errors import InputError, InputTypeError


def path_of(value: Any, name: str = "path") -> Path:
    """A path given as text or as a path object; `~` at its beginning is the home folder.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise InputTypeError(f"{name}={value!r}: a path is needed")
    path = Path(value)
    try:
        return path.expanduser()
    except RuntimeError:  # no user has that name
        return path


def whole_number(value: Any, name: str, least: int) -> int:
    """A whole number of at least `least`, of Python's or numpy's types.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name}={value!r}: a whole number of at least {least} is needed")
    return int(value)


def real_number(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """A number from `least` to `most`, both included; infinity only where that is one of them, and never NaN.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= float(value) <= most:
        ends = [f"at least {least:g}"] * (least > -math.inf) + [f"at most {most:g}"] * (most < math.inf)
        raise InputError(f"{name}={value!r}: a number{' of ' * bool(ends)}{' and '.join(ends)} is needed")
    return float(value)


def instance_of(value: Any, name: str, kind: type, hint: str) -> None:
    """Refuse what is no `kind`; `hint` says in words what is needed.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, kind):
        raise InputTypeError(f"{name} is a {type(value).__name__}: {hint} is needed")


def list_of(value: Any, name: str, hint: str) -> None:
    """Refuse what is no sequence, and text, which is one of letters.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise InputTypeError(f"{name}={value!r}: a list of {hint} is needed")
