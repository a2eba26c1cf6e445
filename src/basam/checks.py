"""What arguments must be: each check names the argument and its value, and says what is needed.

`checked` compares the arguments of a function with its annotations, `check_fields` the fields of a dataclass with theirs: what
is public says once, in its signature, what it takes. Numbers with limits are annotated by `Count`, `Whole`, `Positive` and the
like at the end of this file, masks and pixels by those of `arrays`. What no annotation says is checked where it matters.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import fields
from functools import cache, partial, wraps
from inspect import Parameter, signature
from itertools import repeat
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from basam.check_words import shown, words_of
from basam.errors import InputError, InputTypeError

DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d+)?")
Function = TypeVar("Function", bound=Callable[..., Any])


def one_of(*allowed: str) -> Callable[[Any, str], str]:
    """The check of text that has to be one of `allowed`, as of `Annotated[str, one_of("a", "b")]`."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise InputError(f"{shown(name, value)}: allowed are {', '.join(allowed)}")
        return value

    return check


def checked(function: Function) -> Function:
    """Compare arguments with the annotations of `function` at every call, in a few microseconds; see `fitting`.

    Not for what `torch.compile` traces, nor for annotations that are there for type checkers only.
    """

    @cache
    def expected() -> tuple[Any, dict[str, Any]]:
        form, hints = signature(function), get_type_hints(function, include_extras=True)
        several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        return form, {name: hints[name] for name, each in form.parameters.items() if name in hints and each.kind not in several}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        form, hints = expected()
        bound = form.bind(*args, **kwargs)
        for name, hint in hints.items():
            if name in bound.arguments:
                bound.arguments[name] = fitting(bound.arguments[name], hint, name)
        return function(*bound.args, **bound.kwargs)

    return cast(Function, call)


def check_fields(settings: Any) -> None:
    """Compare the fields of a dataclass with their annotations, from its `__post_init__`; see `fitting`."""
    kind: Any = type(settings)
    hints = hints_of(kind)
    for each in fields(settings):
        value = getattr(settings, each.name)
        fit = fitting(value, hints[each.name], each.name)
        if fit is not value:
            object.__setattr__(settings, each.name, fit)


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def fitting(value: Any, hint: Any, name: str) -> Any:
    """`value` where it fits an annotation: text becomes a path and a list a tuple where the annotation says so.

    0 and 1 are taken for False and True, and numbers of numpy for numbers; text is no list. Elements of lists are checked too.

    Raises:
        TypeError: it is of another kind.
        ValueError: it is no such number, or none of the values that are allowed.
    """
    if hint is Any:
        return value
    kind = get_origin(hint)
    if kind is None:
        return _plain(value, hint, name)
    inner = get_args(hint)
    if kind is Annotated:
        return inner[1](value, name)
    if kind is Literal:
        if not any(type(value) is type(allowed) and value == allowed for allowed in inner):
            raise InputError(f"{shown(name, value)}: allowed are {', '.join(map(repr, inner))}")
        return value
    if kind in (Union, UnionType):
        return _one_of(value, hint, name)
    if not isinstance(kind, type):
        return value
    if kind.__name__ == "ndarray":
        return _array(value, kind, inner, hint, name)
    if issubclass(kind, Iterable) and not issubclass(kind, Mapping):
        return _list(value, kind, inner, hint, name)
    return _instance(value, kind, hint, name)


def _plain(value: Any, hint: Any, name: str) -> Any:
    if hint is int:
        return whole_number(value, name)
    if hint is float:
        return real_number(value, name)
    if hint is Path:
        return value if isinstance(value, Path) and not str(value).startswith("~") else path_of(value, name)
    if hint is bool:
        # Not every number: 2 is a mistake. Numpy names its own `bool_`, and `bool` from version 2 on.
        if type(value).__name__ not in ("bool", "bool_") and not (isinstance(value, int) and value in (0, 1)):
            raise InputTypeError(f"{shown(name, value)}: True or False is needed")
        return value
    if isinstance(hint, TypeVar):
        hint = hint.__bound__
    if not isinstance(hint, type) or (
        getattr(hint, "_is_protocol", False) and not getattr(hint, "_is_runtime_protocol", False)
    ):
        return value
    return _instance(value, hint, hint, name)


def _instance(value: Any, kind: type, hint: Any, name: str) -> Any:
    if not isinstance(value, kind):
        raise InputTypeError(f"{shown(name, value)}: {words_of(hint)} is needed")
    return value


def _one_of(value: Any, hint: Any, name: str) -> Any:
    inner = get_args(hint)
    kinds = [each for each in inner if each is not NoneType]
    if value is None and len(kinds) < len(inner):
        return None
    if len(kinds) == 1:
        return fitting(value, kinds[0], name)
    for kind in kinds:
        try:
            return fitting(value, kind, name)
        except (InputError, InputTypeError):
            continue
    raise InputTypeError(f"{shown(name, value)}: {words_of(hint)} is needed")


def _array(value: Any, kind: type, inner: Sequence[Any], hint: Any, name: str) -> Any:
    """A numpy array; of bool or uint8 where the annotation says so, whose other numbers would mean something else."""
    array = _instance(value, kind, hint, name)
    scalars = get_args(inner[1]) if len(inner) > 1 else ()
    if scalars and getattr(scalars[0], "__name__", "") in ("bool", "bool_", "uint8") and array.dtype.type is not scalars[0]:
        raise InputTypeError(f"{shown(name, value)} and {array.dtype}: {words_of(hint)} is needed")
    return array


def _list(value: Any, kind: type, inner: Sequence[Any], hint: Any, name: str) -> Any:
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0:
        raise InputTypeError(f"{shown(name, value)}: {words_of(hint)} is needed")
    if not hasattr(value, "__len__"):
        if issubclass(kind, Collection):
            raise InputTypeError(f"{shown(name, value)}: {words_of(hint)} is needed")
        return value  # an iterator, which looking at its elements would use up
    if issubclass(kind, Sequence) and isinstance(value, Set):
        raise InputTypeError(f"{shown(name, value)}: {words_of(hint)}, in an order, is needed")
    fixed = kind is tuple and inner[1:] != (...,)
    if fixed and len(value) != len(inner):
        raise InputTypeError(f"{shown(name, value)}: {words_of(hint)} is needed")
    if not fixed and inner[0] is Any:
        return tuple(value) if kind is tuple else value
    kinds = inner if fixed else repeat(inner[0])
    fit = [fitting(each, hint, f"{name}[{place}]") for place, (each, hint) in enumerate(zip(value, kinds, strict=False))]
    if kind is tuple:
        return tuple(fit)
    return value if all(old is new for old, new in zip(value, fit, strict=True)) else fit


def path_of(value: Any, name: str = "path") -> Path:
    """A path given as text or as a path object; `~` at its beginning is the home folder.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise InputTypeError(f"{shown(name, value)}: a path is needed")
    path = Path(value)
    try:
        return path.expanduser()
    except RuntimeError:  # no user has that name
        return path


def is_whole(value: Any, least: float = -math.inf) -> TypeGuard[int]:
    """Whether a value of JSON is a whole number of at least `least`, and neither true nor a text."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def whole_number(value: Any, name: str, least: float = -math.inf) -> int:
    """A whole number of at least `least`, of Python's or numpy's types.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        end = "" if least == -math.inf else f" of at least {least:g}"
        raise InputError(f"{shown(name, value)}: a whole number{end} is needed")
    return int(value)


def real_number(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """A number from `least` to `most`, both included; infinity only where that is one of them, and never NaN.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= float(value) <= most:
        ends = [f"at least {least:g}"] * (least > -math.inf) + [f"at most {most:g}"] * (most < sys.float_info.max)
        raise InputError(f"{shown(name, value)}: a number{' of ' * bool(ends)}{' and '.join(ends)} is needed")
    return float(value)


def positive_number(value: Any, name: str) -> float:
    """A finite number above 0.

    Raises:
        ValueError: it is none.
    """
    if not 0 < real_number(value, name) < math.inf:
        raise InputError(f"{shown(name, value)}: a number above 0 is needed")
    return float(value)


def device_name_of(value: Any, name: str = "device") -> str:
    """`auto`, or a device as torch names it; whether this machine has it is found out when it is used.

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


# Annotations of numbers and names that have limits: `checked` and `check_fields` call what stands beside the type.
Count = Annotated[int, partial(whole_number, least=1)]
Whole = Annotated[int, partial(whole_number, least=0)]
Positive = Annotated[float, positive_number]
NotNegative = Annotated[float, partial(real_number, least=0, most=sys.float_info.max)]
Share = Annotated[float, partial(real_number, least=0, most=1)]
DTYPES = ("float32", "bfloat16", "float16")
Dtype = Annotated[str, one_of(*DTYPES)]
Device = Annotated[str, device_name_of]
NameOrPath = Annotated[str, name_or_path]
