"""JSON and text files, written whole or not at all, and files that lines are appended to."""

from __future__ import annotations

import csv
import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from basam.checks import path_of
from basam.errors import BasamError, FileError, InputError
from basam.files.writing import naming_full_disk, replacing

# How cells begin that a spreadsheet runs.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ONE_THREAD = threading.RLock()


class JsonLine(NamedTuple):
    """A line of a JSON Lines file: its number from 1, its byte offset, its value."""

    number: int
    offset: int
    value: Any


def json_of(path: str | os.PathLike[str], error: type[BasamError] = InputError, hint: str = "") -> Any:
    """What a JSON file holds; raises `error` with its name where it cannot be read, and with the hint where it is not JSON."""
    try:
        return json.loads(path_of(path).read_bytes())  # of bytes: with a byte order mark or without
    except OSError as cause:
        raise error(f"{path}: cannot be read: {cause.strerror or cause}") from cause
    except (ValueError, RecursionError) as cause:  # ValueError: also text in no encoding, and numbers of thousands of digits
        raise error(f"{path} is not JSON: {cause}{hint}") from cause


def read_json(path: str | os.PathLike[str], error: type[BasamError] = InputError, hint: str = "") -> dict[str, Any]:
    """A JSON file that holds an object; arguments: see `json_of`."""
    value = json_of(path, error, hint)
    if not isinstance(value, dict):
        raise error(f"{path} holds {json.dumps(value)[:80]}: a JSON object is needed{hint}")
    return value


def write_rows(path: str | os.PathLike[str], columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A CSV table. No spreadsheet runs a cell as a formula: text that begins like one gets an apostrophe before it."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(
            [f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row] for row in rows
        )


def write_json(path: str | os.PathLike[str], value: Any, *, indent: int | None = 2) -> None:
    write_text(path, [json.dumps(value, indent=indent, allow_nan=False) + "\n"])


def json_line(value: Any) -> bytes:
    """One line; file names that are not valid text (lone surrogates in Python) are escaped."""
    try:
        return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(value, allow_nan=False) + "\n").encode()


def append_json(path: str | os.PathLike[str], value: Any, *, shared: bool = False) -> int:
    """Append a line to a JSON Lines file, which is created if absent; atomic, also between processes.

    Args:
        shared: several processes write; a file system without locks then raises.

    Returns:
        byte offset of the line.
    """
    path, data = path_of(path), json_line(value)
    # Outermost: otherwise closing the file would try again to write what failed.
    with naming_full_disk(path), path.open("a+b") as file, locked(file, path, needed=shared):
        end = end_of_lines(file)
        if end < file.seek(0, os.SEEK_END):
            file.truncate(end)
        file.write(data)
        file.flush()
    return end


def end_of_lines(file: BinaryIO) -> int:
    """Where the last whole line of an open file ends; what is after it was cut short by the end of its process."""
    place = file.seek(0, os.SEEK_END)
    while place:
        begin = max(0, place - 65536)
        file.seek(begin)
        line_end = file.read(place - begin).rfind(b"\n")
        if line_end >= 0:
            return begin + line_end + 1
        place = begin
    return 0


@contextmanager
def locked(file: BinaryIO, path: Path, *, needed: bool = False) -> Iterator[None]:
    """Hold the lock of a file, so that no other thread or process is in such a block; closing the file releases it too.

    Args:
        needed: raise on a file system without locks; otherwise only the threads of this process exclude each other there.

    Raises:
        OSError: there are no locks.
    """
    with _ONE_THREAD:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except (ImportError, OSError) as error:
            if needed:
                raise FileError(f"{path} cannot be locked ({error}): give every process an --out of its own") from error
        yield


def read_json_lines(path: str | os.PathLike[str], begin: int = 0) -> Iterator[JsonLine]:
    """The lines of a JSON Lines file; none if it is absent. A line cut short by a killed run is skipped.

    Args:
        begin: byte offset of the first line; line numbers count from there.
    """
    path = path_of(path)
    if not path.exists():
        return
    offset = begin
    with path.open("rb") as file:
        file.seek(begin)
        for number, text in enumerate(file, start=1):
            here, offset = offset, offset + len(text)
            try:
                value = json.loads(text if text.endswith(b"\n") else b"")
            except ValueError:
                continue
            yield JsonLine(number, here, value)


def begins_with(path: Path, start: bytes) -> bool:
    """Whether a file begins with these bytes; true for a file cut short within them, and for an absent one."""
    if not path.exists():
        return True
    with path.open("rb") as file:
        first = file.read(4 * len(start)).lstrip(b"\n").split(b"\n")[0]
    return start.startswith(first[: len(start)])


def read_json_at(path: Path, offsets: Iterable[int]) -> Iterator[Any]:
    """The lines that begin at these byte offsets."""
    with path.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            yield json.loads(file.readline())


def write_text(path: str | os.PathLike[str], pieces: Iterable[str]) -> None:
    """Write UTF-8 text; what is not valid text, as in some file names, is escaped."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.writelines(pieces)
