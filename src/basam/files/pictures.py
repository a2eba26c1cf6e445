"""Open the main picture of a file: through a stream, upright, with its samples as stored.

Masks are opened here too: the files are the same, only the meaning of the values differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import ImageOps, UnidentifiedImageError

from basam.checks import path_of
from basam.errors import BasamError, MissingExtraError, MissingFileError
from basam.files import tiff_pages
from basam.files.frames import SWAPPING, is_scaled_up, main_frame, open_jpeg_2000, open_png, opened, orientation_of
from basam.files.limits import MAX_PIXELS, bytes_of, check_pixels, without_pillows_limit
from basam.files.modes import is_deep
from basam.files.notes import UnsupportedImageError, several
from basam.files.png_head import SIGNATURE
from basam.files.samples import Stated
from basam.files.stored import StoredPicture
from basam.files.tiff import open_tiff

# JPEGs of more pixels than this are decoded at 1/2, 1/4 or 1/8 of their size if that is enough.
SCALED_FROM = 40_000_000
# As in Pillow's own `Image.thumbnail`: twice the wanted size, so that the final resize decides the quality.
REDUCING_GAP = 2
WORLD_FILES = (".tfw", ".tifw", ".tiffw", ".wld")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class ImageError(BasamError, ValueError):
    """A photograph that cannot be read; the message names its path and what is wrong."""


def open_picture(
    path: str | os.PathLike[str], *, max_pixels: int | None = MAX_PIXELS, long_side: int | None = None
) -> StoredPicture:
    """The main picture of a file.

    Args:
        max_pixels: files with more raise. None: no limit.
        long_side: enough pixels for the caller; a JPEG of more than `SCALED_FROM` pixels may then be read smaller.

    Raises:
        ImageError: no picture, one that cannot be decoded, or one above `max_pixels`; the message names the path.
        FileNotFoundError: no such file.
    """
    with reading(path_of(path)) as (stream, head):
        if head[:4] in TIFF:
            return open_tiff(stream, max_pixels)
        picture = opened(stream, head)
        check_pixels(*picture.size, max_pixels, bytes_of(stream))
        picture, note = main_frame(picture)
        check_pixels(*picture.size, max_pixels, bytes_of(stream))
        notes = () if note is None else (several(note),)
        width, height = picture.size
        if picture.format == "PNG" and head.startswith(SIGNATURE):
            return open_png(stream, picture, notes)
        if picture.format == "JPEG2000":
            return open_jpeg_2000(stream, picture)
        if long_side is not None and width * height > SCALED_FROM and hasattr(picture, "draft"):
            factor = min(1.0, REDUCING_GAP * long_side / max(width, height))
            picture.draft(None, (max(1, round(factor * width)), max(1, round(factor * height))))
        bits = 16 if is_scaled_up(picture) else None
        image = ImageOps.exif_transpose(picture)
        turned = (image.width > image.height) != (width > height)
        stated = Stated(bits if is_deep(image) else None)
        count = 1 if note is None or picture.format == "MPO" else getattr(picture, "n_frames", 1)
        size = (height, width) if turned else (width, height)
        return StoredPicture(image, size, stated, notes, format=picture.format or "", others=count - 1)


def picture_size(path: str | os.PathLike[str], *, max_pixels: int | None = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of the main picture, upright, from its header: nothing is decoded. Errors as of `open_picture`."""
    with reading(path_of(path)) as (stream, head):
        if head[:4] in TIFF:
            width, height = tiff_pages.main_page(tiff_pages.read_pages(stream))[0].upright_size
        else:
            picture, _ = main_frame(opened(stream, head))
            width, height = picture.size
            # Pillow decodes the whole PNG if EXIF does not come first.
            if (picture.format != "PNG" or "exif" in picture.info) and orientation_of(picture) in SWAPPING:
                width, height = height, width
        check_pixels(width, height, max_pixels, bytes_of(stream))
        return width, height


def is_georeferenced(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a TIFF with a coordinate reference system, from its tags. False for a file that cannot be read."""
    return any(page.is_georeferenced for page in pages_of(path))


def lacks_crs(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a TIFF with coordinates (or a world file beside it) and without a coordinate reference system."""
    pages = pages_of(path)
    has_world_file = any(path_of(path).with_suffix(suffix).exists() for suffix in WORLD_FILES)
    return bool(pages) and not any(page.is_georeferenced for page in pages) and (has_world_file or pages[0].lacks_crs)


def pages_of(path: str | os.PathLike[str]) -> list[tiff_pages.TiffPage]:
    """All pages of a TIFF; empty for other files and for what cannot be read."""
    try:
        with reading(path_of(path)) as (stream, head):
            return tiff_pages.read_pages(stream) if head[:4] in TIFF else []
    except (ImageError, MissingFileError):
        return []


@contextmanager
def reading(path: Path) -> Iterator[tuple[BinaryIO, bytes]]:
    """Open a file and its first bytes; any error in the block becomes an ImageError that names the file."""
    if not path.exists():
        raise MissingFileError(f"{path}: no such file")
    if path.is_dir():
        raise ImageError(f"{path} is a folder, not an image")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes)")
    # Through a stream: given a path, Pillow maps uncompressed TIFF into memory and scrambles rotated ones.
    with named_errors(path), path.open("rb") as stream, without_pillows_limit():
        head = stream.read(64)
        stream.seek(0)
        yield stream, head


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn any error into an ImageError that names the file."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is not an image, or of a format that Pillow does not read") from error
    except UnsupportedImageError as error:
        raise ImageError(f"{path} {error}") from error
    except MissingExtraError as error:
        raise ImageError(f"{path} needs a library that is not installed: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, ArithmeticError) as error:
        raise ImageError(f"{path} cannot be read, it may be truncated: {error or type(error).__name__}") from error
