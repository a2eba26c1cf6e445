"""Photographs named on a command line: files, folders, patterns, and names from standard input."""

from __future__ import annotations

import difflib
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from basam.errors import InputError
from basam.files import IMAGE_SUFFIXES, is_litter

STDIN = "-"


class Listed(NamedTuple):
    """Photos without duplicates, with their paths relative to the folder that named them; and the arguments that could not be
    used, with reasons."""

    photos: dict[Path, str]
    faults: list[tuple[str, str]]


def list_photos(
    words: Iterable[str], *, leave_out: Callable[[Path], bool] = lambda path: False, stdin: Callable[[], str] | None = None
) -> Listed:
    """The photos that `words` name.

    A file is taken as it is, a folder with all images below it, by name, except hidden ones; `**` in a pattern stands for any
    folders; `-` for names on standard input, one per line or separated by zero bytes (`find -print0`).

    Args:
        leave_out: whether to skip a file in a folder or of a pattern, such as a result.
        stdin: reads the names for `-`.
    """
    photos: dict[str, tuple[Path, str]] = {}  # by absolute path, links not resolved
    faults: list[tuple[str, str]] = []
    for word in words:
        paths: Iterable[Path]
        try:
            if not word:
                raise InputError("an empty name")  # an unset variable does not mean the working directory
            if word == STDIN:
                paths = [Path(name) for name in names_in((stdin or read_stdin)())]
                trouble = "standard input held no names"
            elif Path(word).is_dir():
                paths = (path for path in below(Path(word), faults) if not leave_out(path))
                trouble = "no image in the folder"
            elif not Path(word).exists() and glob.has_magic(word):
                paths = (path for path in matches_of(word) if not leave_out(path))
                trouble = "no file matches the pattern"
            else:
                paths, trouble = ([Path(word)], "") if os.path.lexists(word) else ([], f"no such file{nearest_file(word)}")
            known, path = len(faults), None
            for path in paths:
                photos.setdefault(os.path.abspath(path), (path, name_below(path, word)))
            if path is None and len(faults) == known:
                faults.append((word, trouble))
        except (OSError, ValueError) as error:  # too long, or with a zero byte
            faults.append((word, getattr(error, "strerror", None) or str(error)))
    return Listed(dict(photos.values()), faults)


def name_below(path: Path, word: str) -> str:
    """The path relative to the folder or to the fixed part of the pattern; else its file name."""
    fixed = [part for part in Path(word).parts if not glob.has_magic(part)] if word != STDIN else []
    folder = Path(*fixed) if glob.has_magic(word) and not Path(word).exists() else Path(word)
    return path.relative_to(folder).as_posix() if path != folder and path.is_relative_to(folder) else path.name


def nearest_file(word: str) -> str:
    """A hint at the file with the most similar name, for a mistyped one."""
    folder = Path(word).parent
    close = difflib.get_close_matches(Path(word).name, os.listdir(folder) if folder.is_dir() else [], 1)
    return f"; did you mean {folder / close[0]}?" if close else ""


def below(folder: Path, faults: list[tuple[str, str]]) -> Iterator[Path]:
    """Images in a folder and below it, by name; links to folders are not followed. Folders that cannot be read are added to
    `faults`."""
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        faults.append((str(folder), error.strerror or str(error)))
        return
    for path in entries:
        if is_litter(path.name):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from below(path, faults)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            yield path


def matches_of(pattern: str) -> Iterator[Path]:
    """Files that match a pattern, by name, except files that systems add."""
    given = next(index for index, part in enumerate(Path(pattern).parts) if glob.has_magic(part))
    for match in sorted(glob.glob(pattern, recursive=True)):
        path = Path(match)
        if path.is_file() and not any(map(is_litter, path.parts[given:])):
            yield path


def names_in(text: str) -> list[str]:
    """Names separated by line breaks or zero bytes."""
    parts = text.split("\0") if "\0" in text else (line.removesuffix("\r") for line in text.split("\n"))
    return [part for part in parts if part.strip()]


def read_stdin() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("- reads names from standard input, which is a terminal: find DIR -name '*.jpg' | basam segment -")
    return os.fsdecode(sys.stdin.buffer.read())
