"""How many pixels a picture may have. Our limit is an argument of every call; Pillow's own is one for the whole process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from basam.files.notes import RefusedError

# Where Pillow refuses a picture by default. A small file can claim any size (a decompression bomb), and fill the memory.
MAX_PIXELS = 178_956_970


def check_pixels(width: int, height: int, max_pixels: int | None) -> None:
    """Refuse more than `max_pixels`. None: any number.

    Raises:
        RefusedError: the message names the size, the limit and how it is raised.
    """
    if max_pixels is not None and width * height > max_pixels:
        raise RefusedError(
            f"has {width} x {height} px, more than the {max_pixels} that are allowed, because a small file can claim any size "
            f"(a decompression bomb). If it is sound: --max-pixels {width * height} or none; in Python max_pixels"
        )


_LOCK = threading.Lock()
_STATE: dict[str, int | None] = {"users": 0, "limit": None}


@contextmanager
def without_pillows_limit() -> Iterator[None]:
    """Pillow opens pictures of any size for the length of a block, in all threads; `check_pixels` is what protects there.

    Nested and from several threads: the last one out puts the limit back.
    """
    from PIL import Image  # here: the limit above is shown by `--help`, which does not wait for Pillow

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
