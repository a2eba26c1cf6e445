"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from basam.checks import path_of
from basam.errors import FileError, FullDiskError

# No room on the device, or none left of what its owner may use; Windows knows the first alone.
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and is removed otherwise.

    Raises:
        OSError: the folder cannot be written, or is full; the message names it.
    """
    path = path_of(path)
    # One name a file, so that what a killed process left is overwritten by the next.
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    with naming_full_disk(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
        except OSError as error:
            if error.errno in FULL:
                raise
            raise FileError(f"cannot write to the folder {path.parent}: {error.strerror or error}") from error
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """A disk without room is raised as a `FullDiskError` that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise FullDiskError(f"no room to write {path}: {error.strerror}") from error
