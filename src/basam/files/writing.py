"""Atomic writes (a file appears whole or not at all), and the hash of a file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from basam.checks import path_of
from basam.errors import FileError, FullDiskError

# The device or the user's quota is full; Windows knows only the first.
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
# A longer suffix is not that of a format.
LONGEST_SUFFIX = 16


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside `path` that replaces it if the block succeeds, and is removed otherwise.

    Every block has its own file, so of several writers of one name the last one wins, whole.

    Raises:
        OSError: the folder cannot be written, or is full; the message names it.
    """
    path = path_of(path)
    with naming_full_disk(path), contextlib.ExitStack() as closing:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary, descriptor = reserved(path)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise FileError(f"cannot write to the folder {path.parent}: {error.strerror or error}") from error
        closing.callback(os.close, descriptor)
        if os.name == "nt":
            closing.close()  # Windows cannot move an open file
        try:
            yield temporary
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """A file of these bytes, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def reserved(path: Path) -> tuple[Path, int]:
    """An empty temporary file for `path`, locked by this process, and its descriptor.

    Names are short and numbered, so that the file of a killed process, whose lock is released, is used again.
    """
    suffix = path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    for number in itertools.count():
        temporary = path.with_name(f".{digest}-{number}.partial{suffix}")
        created = True
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            created = False
            try:
                descriptor = os.open(temporary, os.O_RDWR)
            except OSError:
                continue
        if is_locked_by(descriptor, created=created) and is_still(temporary, descriptor):
            os.truncate(descriptor, 0)
            return temporary, descriptor
        os.close(descriptor)
    raise AssertionError  # `count` never ends


def is_locked_by(descriptor: int, *, created: bool) -> bool:
    """Whether a temporary file is ours: locked by us or, without locks, created by us."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return created
    return True


def is_still(path: Path, descriptor: int) -> bool:
    """Whether a path still names the open file: another writer may have moved or removed it before we locked it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Raise a full disk as a `FullDiskError` that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise FullDiskError(f"no room to write {path}: {error.strerror}") from error


def digest_of(path: Path, digest: Any = None) -> str:
    """The hash of a file's bytes, in hexadecimal: SHA-256, or that of `digest`, an object of `hashlib`."""
    digest = hashlib.sha256() if digest is None else digest
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return str(digest.hexdigest())
