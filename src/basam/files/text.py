"""JSON and text files, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from basam.checks import path_of
from basam.errors import InputError
from basam.files.writing import replacing


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        value = json.loads(path_of(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: a JSON object is needed")
    return value


def write_json(path: str | os.PathLike[str], value: Any, *, indent: int | None = 2) -> None:
    write_text(path, [json.dumps(value, indent=indent, allow_nan=False) + "\n"])


def append_json(path: str | os.PathLike[str], value: Any) -> None:
    """Add a line of JSON to a file of such lines, which is made where it is absent."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
    with path_of(path).open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = "\n" + text  # after a line that was cut short
        file.write(text.encode())


def read_json_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """The lines of such a file with their numbers; none where it is absent. One that was cut short, where a run was killed, is
    passed over."""
    path = path_of(path)
    if not path.exists():
        return
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            value = json.loads(text)
        except ValueError:
            continue
        yield number, value


def write_text(path: str | os.PathLike[str], pieces: Iterable[str]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(pieces)
