"""The largest number of pixels that is read, also judged by the file's size; an argument of every call, where Pillow has one
limit for the whole process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from basam.checks import whole_number
from basam.files.notes import UnsupportedImageError

# Pillow's own default. A small file can claim any size (a decompression bomb) and fill the memory.
MAX_PIXELS = 178_956_970
# Above so many pixels, a file of fewer bytes than pixels by this factor is a bomb: 8-bit PNG has up to 1,032 pixels a byte.
BOMB_FROM, PIXELS_PER_BYTE = 64_000_000, 2_000


def check_pixels(width: int, height: int, max_pixels: int | None, file_bytes: int | None = None) -> None:
    """Raise for a picture of more than `max_pixels`, or of many pixels in very few bytes. None: no limit.

    Raises:
        UnsupportedImageError: the message names the size, the limit and how it is raised.
    """
    if max_pixels is None:
        return
    count = width * height
    if count > whole_number(max_pixels, "max_pixels", 1):
        raise UnsupportedImageError(
            f"has {width} x {height} px, more than the {max_pixels} that are allowed, because a small file can claim any size "
            f"(a decompression bomb). If you trust the file: --max-pixels {count} or none; in Python max_pixels"
        )
    if file_bytes is not None and count > BOMB_FROM and count > PIXELS_PER_BYTE * file_bytes:
        raise UnsupportedImageError(
            f"has {width} x {height} px in {file_bytes} bytes, and takes {3 * count / 1e6:.0f} MB or more in memory "
            "(a decompression bomb). If you trust the file: --max-pixels none; in Python max_pixels=None"
        )


def bytes_of(stream: BinaryIO) -> int:
    """Size of an open file."""
    return os.fstat(stream.fileno()).st_size


_LOCK = threading.Lock()
_STATE: dict[str, int | None] = {"users": 0, "limit": None}


@contextmanager
def without_pillows_limit() -> Iterator[None]:
    """Lift Pillow's own limit during a block, in all threads; `check_pixels` is the limit there.

    May be nested and used by several threads: the last one to leave restores the limit.
    """
    from PIL import Image  # here, so that `--help`, which prints the limit above, does not import Pillow

    with _LOCK:
        if not _STATE["users"]:
            _STATE["limit"] = Image.MAX_IMAGE_PIXELS
            Image.MAX_IMAGE_PIXELS = None
        _STATE["users"] = (_STATE["users"] or 0) + 1
    try:
        yield
    finally:
        with _LOCK:
            _STATE["users"] = (_STATE["users"] or 0) - 1
            if not _STATE["users"]:
                Image.MAX_IMAGE_PIXELS = _STATE["limit"]
