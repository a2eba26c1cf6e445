"""Pictures to bytes, and bytes to files that are either complete or absent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from basam.files import replacing


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of an image file; kind and options as Pillow names them."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def save(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)
