"""Errors that basam raises on purpose. Each also derives from the built-in error that fits, so either may be caught.

What is none of these, no `OSError` and no lack of memory is a bug: the command line shows its traceback.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import currentframe
from pathlib import Path

PACKAGE = str(Path(__file__).parent)


class BasamError(Exception):
    """The base of all; its message names what was wrong, the value, and the way out."""


class InputError(BasamError, ValueError):
    """An argument, a setting or the content of a file that cannot be used."""


class InputTypeError(BasamError, TypeError):
    """An argument of a kind that cannot be used."""


class OrderError(BasamError, RuntimeError):
    """A call that needs another one before it."""


class WorkerError(BasamError, RuntimeError):
    """A worker process that was ended from outside."""


class MissingFileError(BasamError, FileNotFoundError):
    """A file, folder or model that is not there."""


class FileError(BasamError, OSError):
    """A file or folder that cannot be written."""


class FullDiskError(FileError):
    """The disk is full; a run of many photos stops, because no other file could be written either."""


class OccupiedError(BasamError, FileExistsError):
    """A folder that holds something else; nothing in it was changed."""


class MissingExtraError(BasamError, ImportError):
    """An optional library that is not installed; the message names the extra that brings it."""


class MemoryLackError(BasamError, MemoryError):
    """Memory ran out, on the CPU or a GPU; the message names the photo's size and one that would fit."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` means that memory ran out, on any device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # torch's words on Linux and macOS, and on Windows.
    words = ("can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def reason_of(error: BaseException) -> str | None:
    """What to say of an error with a reason outside the program; None for a bug."""
    if isinstance(error, (BasamError, OSError)):
        return str(error)
    return "out of memory: a smaller size needs less, half the long side a quarter" if is_out_of_memory(error) else None


@contextmanager
def naming_memory(long_side: int) -> Iterator[None]:
    """Lack of memory inside is raised as `MemoryLackError`, which names `long_side` in pixels and half of it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryLackError) or not is_out_of_memory(error):
            raise
        half = max(1, long_side // 2)
        raise MemoryLackError(
            f"out of memory at a long side of {long_side} px: one of {half} px needs a quarter of the memory"
        ) from error


_COLLECTED: ContextVar[list[str] | None] = ContextVar("collected", default=None)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """The texts that `warn` is called with in this thread within the block, instead of warnings: `warnings.catch_warnings`
    would change those of all threads."""
    texts: list[str] = []
    token = _COLLECTED.set(texts)
    try:
        yield texts
    finally:
        _COLLECTED.reset(token)


def warn(text: str) -> None:
    """Warn of what a call of this package was given: the warning names the line outside the package that called it."""
    collected = _COLLECTED.get()
    if collected is not None:
        collected.append(text)
        return
    level, frame = 1, currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)
