"""Pictures to bytes, and bytes to files that are either complete or absent."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of an image file; kind and options as Pillow names them."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def save(path: Path, data: bytes) -> None:
    """Write under a hidden name, then rename; after a kill the next run overwrites the hidden file."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
