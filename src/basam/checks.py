"""Validation of settings and arguments. Errors name the argument, its value, and what is needed.

`check_fields` compares the fields of a dataclass with their annotations, which so say once what is allowed; numbers with limits
are those at the end of this file. Functions check with `whole_number`, `instance_of` and the like what no plain Python error
would explain, and arrays with `arrays`.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache, partial
from numbers import Integral, Number, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

from basam.errors import InputError, InputTypeError

DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d+)?")
WORDS = {int: "a whole number", float: "a number", str: "text", bool: "True or False", Path: "a path", NoneType: "None"}
# Characters of a value that an error repeats.
LONGEST = 60


def shown(name: str, value: Any) -> str:
    """An argument and its value if that is short, otherwise its type."""
    if value is None or isinstance(value, (str, bytes, Number, os.PathLike, list, tuple, dict, set)):
        text = repr(value)
        return f"{name}={text if len(text) <= LONGEST else text[: LONGEST - 3] + '...'}"
    shape = f" of shape {tuple(value.shape)}" if isinstance(getattr(value, "shape", None), tuple) else ""
    return f"{name} is a {type(value).__name__}{shape}"


def words_of(hint: Any) -> str:
    """An annotation in words, such as `a whole number` or `a list of a path`."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return words_of(inner[0])
    if kind is Literal:
        return " or ".join(map(repr, inner))
    if kind in (Union, UnionType):
        return " or ".join(map(words_of, inner))
    if kind is tuple:
        return f"a list of {words_of(inner[0])},"
    return WORDS.get(hint) or f"a {(kind or hint).__name__}"


def check_fields(settings: Any) -> None:
    """Compare the fields of a dataclass with their annotations, from its `__post_init__`.

    Annotations decide: text becomes a path, a list a tuple; numpy's numbers become Python's.

    Raises:
        TypeError: a value of another type.
        ValueError: a number out of its limits, or a value that is not one of those allowed.
    """
    kind: Any = type(settings)
    hints = hints_of(kind)
    for field in fields(settings):
        value = getattr(settings, field.name)
        valid = validated(value, hints[field.name], field.name)
        if valid is not value:
            object.__setattr__(settings, field.name, valid)


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def validated(value: Any, hint: Any, name: str) -> Any:
    """`value` converted to its annotation; see `check_fields`."""
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if kind is Annotated:
        check = next((part for part in inner[1:] if callable(part)), None)
        return validated(value, inner[0], name) if check is None else check(value, name)
    if kind is Literal:
        return one_of(*inner)(value, name)
    if kind in (Union, UnionType):
        return of_union(value, hint, name)
    if kind is tuple:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise InputTypeError(f"{shown(name, value)}: {words_of(hint)} is needed")
        return tuple(validated(item, inner[0], f"{name}[{place}]") for place, item in enumerate(value))
    if hint is int:
        return whole_number(value, name)
    if hint is float:
        return real_number(value, name)
    if hint is Path:
        return path_of(value, name)
    if hint is bool:
        return truth_value(value, name)
    return instance_of(value, name, kind or hint)


def of_union(value: Any, hint: Any, name: str) -> Any:
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if value is None and NoneType in get_args(hint):
        return None
    if len(kinds) == 1:
        return validated(value, kinds[0], name)
    for kind in kinds:
        try:
            return validated(value, kind, name)
        except (InputError, InputTypeError):
            continue
    raise InputTypeError(f"{shown(name, value)}: {words_of(hint)} is needed")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that is most like one that was mistyped."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def one_of(*allowed: Any) -> Callable[[Any, str], Any]:
    """The check of a value that has to be one of `allowed`, as of `Annotated[str, one_of(*KINDS)]`."""

    def check(value: Any, name: str) -> Any:
        if not any(type(value) is type(choice) and value == choice for choice in allowed):
            raise InputError(
                f"{shown(name, value)}: allowed are {', '.join(map(str, allowed))}{nearest(str(value), map(str, allowed))}"
            )
        return value

    return check


def path_of(value: Any, name: str = "path") -> Path:
    """A path given as text or as a path object; `~` at its beginning is the home folder.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, Path) and not str(value).startswith("~"):
        return value
    if not isinstance(value, (str, os.PathLike)):
        raise InputTypeError(f"{shown(name, value)}: a path is needed")
    path = Path(value)
    try:
        return path.expanduser()
    except RuntimeError:  # no user has that name
        return path


def truth_value(value: Any, name: str) -> Any:
    """True, False, 0, 1, or a bool of numpy, which names it `bool_`, and `bool` from version 2 on.

    Raises:
        TypeError: it is none of these; other numbers are mistakes.
    """
    if type(value).__name__ not in ("bool", "bool_") and not (isinstance(value, int) and value in (0, 1)):
        raise InputTypeError(f"{shown(name, value)}: True or False is needed")
    return value


def is_whole(value: Any, least: float = -math.inf) -> TypeGuard[int]:
    """Whether a value of JSON is a whole number of at least `least`, and neither true nor a text."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a finite number, and neither true nor a text."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def whole_number(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> int:
    """A whole number from `least` to `most`, both included, of Python's or numpy's types.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not within(value, least, most):
        raise InputError(f"{shown(name, value)}: a whole number{limits(least, most)} is needed")
    return int(value)


def real_number(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """A number from `least` to `most`, both included; infinity only if that is one of them, and never NaN.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not within(value, least, most):
        raise InputError(f"{shown(name, value)}: a number{limits(least, most)} is needed")
    return float(value)


def within(value: Any, least: float, most: float) -> bool:
    return bool(least <= value <= most)


def limits(least: float, most: float) -> str:
    ends = [f"at least {least:g}"] * (least > -math.inf) + [f"at most {most:g}"] * (most < sys.float_info.max)
    return " of " * bool(ends) + " and ".join(ends)


def positive_number(value: Any, name: str) -> float:
    """A finite number above 0.

    Raises:
        ValueError: anything else.
    """
    if not 0 < real_number(value, name) < math.inf:
        raise InputError(f"{shown(name, value)}: a number above 0 is needed")
    return float(value)


def device_name_of(value: Any, name: str = "device") -> str:
    """`auto`, or a device as torch names it; whether this machine has it is checked when it is used.

    Raises:
        ValueError: another name.
    """
    if DEVICE.fullmatch(str(value)) is None:
        raise InputError(f"{name} {str(value)!r} is unknown: allowed are auto, cpu, cuda, mps and numbered ones such as cuda:1")
    return str(value)


def name_or_path(value: Any, name: str) -> str:
    """Text, or a path as text.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise InputTypeError(f"{shown(name, value)}: a name or a path is needed")
    return os.fspath(value)


def instance_of(value: Any, name: str, kind: type) -> Any:
    """`value`, which has to be a `kind`.

    Raises:
        TypeError: it is of another type.
    """
    if not isinstance(value, kind):
        raise InputTypeError(f"{shown(name, value)}: {words_of(kind)} is needed")
    return value


# Annotations of fields that have limits.
Count = Annotated[int, partial(whole_number, least=1)]
Whole = Annotated[int, partial(whole_number, least=0)]
Positive = Annotated[float, positive_number]
NotNegative = Annotated[float, partial(real_number, least=0, most=sys.float_info.max)]
Share = Annotated[float, partial(real_number, least=0, most=1)]
DTYPES = ("float32", "bfloat16", "float16")
Dtype = Annotated[str, one_of(*DTYPES)]
Device = Annotated[str, device_name_of]
NameOrPath = Annotated[str, name_or_path]
