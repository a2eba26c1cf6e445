"""`mode.json`: a correction on disk, with how it was found.

    {"mode": {"scaling": "log", "strength": 0.5, ...}, "found": {"on": "ISIC2017 train", "photos": 30, ...}}

`found` is for people and reports and is never read back into the mode. A file that holds the fields of the mode alone,
as one writes it by hand, is read too; fields that are left out take their default.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from basam.errors import BasamError, MissingFileError
from basam.files import replacing
from basam.method import BiasMode


class ModeFileError(BasamError, ValueError):
    """A mode file that cannot be read; the message names the file and what is wrong with it."""


def read_mode(path: str | os.PathLike[str]) -> BiasMode:
    """The mode of a file that `write_mode` or a person wrote.

    Raises:
        FileNotFoundError: no such file.
        ModeFileError: no JSON, no mode in it, an unknown field or a value that is not allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path}: {'a folder, not a mode file' if path.is_dir() else 'no such mode file'}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also text that is not UTF-8
        raise ModeFileError(f"{path} is not JSON: {error}") from error
    fields = content.get("mode", content) if isinstance(content, dict) else content
    if not isinstance(fields, dict):
        raise ModeFileError(f"{path} holds no object with the fields of a BiasMode: {json.dumps(fields)[:80]}")
    if fields is content and "found" in content:
        raise ModeFileError(f"{path} says how a mode was found, but has no 'mode'")
    try:
        return BiasMode.from_dict(fields)
    except (ValueError, TypeError) as error:
        raise ModeFileError(f"{path}: {error}") from error


def write_mode(path: str | os.PathLike[str], mode: BiasMode, found: dict[str, Any] | None = None) -> None:
    """Write `mode`, and `found` (plain JSON: how it was found) beside it; the file appears whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    text = json.dumps({"mode": asdict(mode), "found": found or {}}, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(Path(path)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
