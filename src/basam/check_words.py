"""Words for values and annotations, for the errors of `checks`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from numbers import Number
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

# One of a kind, and several.
WORDS: dict[Any, tuple[str, str]] = {
    str: ("text", "texts"),
    bool: ("True or False", "True or False"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    Path: ("a path", "paths"),
    os.PathLike: ("a path", "paths"),
    dict: ("a dictionary", "dictionaries"),
    Mapping: ("a dictionary", "dictionaries"),
    Callable: ("a function", "functions"),
    Any: ("a value", "values"),
}
# Classes of other packages by name, and those of ours that a call gives: how they are had.
CLASSES = {
    "ndarray": "a numpy array",
    "Tensor": "a torch.Tensor",
    "Module": "a torch.nn.Module, such as basam.load gives,",
    "Dataset": "a data set, as basam.lab.data.open_dataset gives it,",
}
# Characters of a value that an error repeats.
LONGEST = 60


def shown(name: str, value: Any) -> str:
    """An argument and its value where that is short; else what it is."""
    if value is None or isinstance(value, (str, bytes, Number, os.PathLike, list, tuple, dict, set)):
        text = repr(value)
        return f"{name}={text if len(text) <= LONGEST else text[: LONGEST - 3] + '...'}"
    shape = f" of shape {tuple(value.shape)}" if isinstance(getattr(value, "shape", None), tuple) else ""
    return f"{name} is a {type(value).__name__}{shape}"


def words_of(hint: Any, *, several: bool = False) -> str:
    """`a whole number`, `a list of paths`: what an annotation stands for."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return words_of(inner[0], several=several)
    if kind is Literal:
        return " or ".join(map(repr, inner))
    if isinstance(hint, TypeVar):
        return words_of(hint.__bound__, several=several)
    found = WORDS.get(hint if kind is None else kind)
    if found is not None:
        return found[several]
    if kind in (Union, UnionType):
        if {get_origin(each) or each for each in inner} - {NoneType} <= {str, Path, os.PathLike}:
            return WORDS[Path][several]
        return ", or ".join(dict.fromkeys(words_of(each, several=several) for each in inner if each is not NoneType))
    if kind is None or not isinstance(kind, type):
        return class_words(hint)
    if kind.__name__ == "ndarray":
        scalar = get_args(inner[1])[0] if len(inner) > 1 and get_args(inner[1]) else None
        name = getattr(scalar, "__name__", "Any").rstrip("_")
        return class_words(kind) + (f" of {name}" if name in ("bool", "uint8") else "")
    if issubclass(kind, Iterable):
        return list_words(kind, inner, "lists" if several else "a list")
    return class_words(kind)


def list_words(kind: type, inner: tuple[Any, ...], noun: str) -> str:
    fixed = kind is tuple and inner[1:] != (...,)
    number = f"{len(inner)} " if fixed else ""
    return f"{noun} of {number}{words_of(inner[0], several=True)}" if inner else noun


def class_words(kind: Any) -> str:
    """`a basam.BiasMode`: the name that a class is imported by."""
    name = getattr(kind, "__name__", str(kind))
    if name in CLASSES:
        return CLASSES[name]
    parts = getattr(kind, "__module__", "").split(".")
    for face in (".".join(parts[:depth]) for depth in range(1, len(parts))):
        if name in getattr(sys.modules.get(face), "__all__", ()):
            return f"a {face}.{name}"
    return f"a {name}"
