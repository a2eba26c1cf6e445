"""Checks of model names before anything is loaded. No torch here, because the command line checks first."""

from __future__ import annotations

import os
from pathlib import Path

from basam.checks import nearest, path_of
from basam.errors import InputError, InputTypeError, MissingFileError
from basam.model.downloads import PUBLISHED

# Embedded models: folders of this package.
EMBEDDED = {"nano": Path(__file__).with_name("nano")}


def check_model_name(name: str | Path) -> None:
    """Raise unless `name` is an embedded model, an existing path, a published file, or a possible hub name.

    Raises:
        TypeError: neither text nor a path.
        ValueError: an empty name.
        FileNotFoundError: none of these; with the most similar known name.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise InputTypeError(f"model {name!r}: a name or a path is needed")
    text = str(name)
    if not text.strip():
        raise InputError(f"model {text!r}: a name is needed, such as 'nano'")
    if text in EMBEDDED or text in PUBLISHED or path_of(name).exists():
        return
    parts = text.split("/")
    if len(parts) != 2 or not all(parts) or parts[0].startswith((".", "~")):
        raise MissingFileError(
            f"model {text!r}: neither an embedded model ({', '.join(map(repr, EMBEDDED))}), nor a file or folder here, "
            f"nor a published file ({', '.join(PUBLISHED)}), nor a hub name (owner/name)"
            + nearest(text, [*EMBEDDED, *PUBLISHED])
        )
