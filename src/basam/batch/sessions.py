"""Read the session files of `basam web` as prompts.

`basam.web.session` writes these files, `docs/web.md` describes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from basam.errors import InputError
from basam.files import read_json

SESSION_FORMAT = "basam session 2"
# Default names of objects on the page.
UNNAMED_OBJECT = re.compile(r"Object \d+")


def object_label(name: str) -> str | None:
    """The class of an object, from its name on the page; None for a default name."""
    return None if UNNAMED_OBJECT.fullmatch(name) else name


def session_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Place and content of every prompt in a session folder, photo by photo, as in `prompt_files`.

    Raises:
        ValueError: not a session folder.
    """
    files = sorted(path.glob("*.json"))
    if not files:
        raise InputError(f"{path}: a folder without files of basam web; give a file of prompts or the folder of its --session")
    for file in files:
        try:
            yield from ((f"{file.name}, {where}", entry) for where, entry in rows_of_state(read_json(file), path))
        except (InputError, OSError) as error:
            yield file.name, InputError(f"no file of basam web: {error}")


def rows_of_state(values: dict[str, Any], folder: Path) -> Iterator[tuple[str, Any]]:
    """The rows of one photo from the content of its file in a session's `folder`, which the photo is named relative to.

    Raises:
        ValueError: an unknown format.
    """
    if values.get("format") != SESSION_FORMAT:
        raise InputError(f"format {values.get('format')!r}: {SESSION_FORMAT!r} is needed")
    objects, photo = values.get("objects"), values.get("photo")
    for index, entry in enumerate(objects if isinstance(objects, list) else []):
        if not isinstance(entry, dict):
            yield f"object {index}", InputError(f"{str(entry)[:40]!r}: an object with prompts is needed")
            continue
        named = None if photo is None else os.path.abspath(folder / str(photo))
        row = {"photo": named, "id": entry.get("key"), "label": object_label(str(entry.get("name")))}
        yield f"object {index}", {**row, "points": entry.get("points"), "box": entry.get("box")}
