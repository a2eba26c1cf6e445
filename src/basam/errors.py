"""Errors that basam raises on purpose. Each also derives from the built-in error that fits, so either may be caught.

What is none of these, no `OSError` and no lack of memory is a bug: the command line shows its traceback.
"""

from __future__ import annotations


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


class OccupiedError(BasamError, FileExistsError):
    """A folder that holds something else; nothing in it was changed."""


class MissingExtraError(BasamError, ImportError):
    """An optional library that is not installed; the message names the extra that brings it."""
