"""The picture in a file: opened through a stream, the main one of several, upright, its samples as they are stored.

Masks begin here too: their values mean something else than a photograph's, the file is the same.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from basam.errors import BasamError, MissingExtraError, MissingFileError
from basam.files import deep, tiff_pages
from basam.files.limits import MAX_PIXELS, check_pixels, without_pillows_limit
from basam.files.modes import is_deep
from basam.files.notes import PhotoNote, RefusedError, several
from basam.files.optional import require
from basam.files.png_head import SIGNATURE, depth_in_use, read_png_head
from basam.files.samples import Stated
from basam.files.tiff_pages import TiffPage

# JPEGs of more pixels than this are decoded at 1/2, 1/4 or 1/8 of their size where that is enough for what is asked.
SCALED_FROM = 40_000_000
# As Pillow's own `Image.thumbnail`: twice what is asked for, so that the rest of the reduction decides how it looks.
REDUCING_GAP = 2
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF = {b"avif", b"avis"}
# What Pillow opens and is no photograph: drawings, which other programs render, and tables of measurements.
NO_PHOTOGRAPHS = ("EPS", "WMF", "FITS", "BUFR", "GRIB", "HDF5")
# Formats whose further frames are layers or smaller copies of the one that Pillow shows.
ONE_PICTURE = ("PSD", "ICO", "ICNS", "TIFF", "CUR")

# What it raises where a layout of TIFF is unknown to it.
UNKNOWN_TO_PILLOW = (UnidentifiedImageError, KeyError, ValueError)


class ImageError(BasamError, ValueError):
    """A photograph that cannot be read; the message names its path and what is wrong."""


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """A picture in memory.

    Attributes:
        image: upright, in the mode it is stored in: `1`, `L`, `LA`, `P`, `RGB`, `RGBA`, `CMYK`, ...; one channel of more than 8
            bits in `I;16`, `I` or `F`; colours of more than 8 bits are scaled to 8.
        size: width and height of the picture in the file, upright; `image` is smaller where less was asked for.
        stated: what the file says of deep samples.
        notes: what had to be decided.
    """

    image: Image.Image
    size: tuple[int, int]
    stated: Stated = field(default_factory=Stated)
    notes: tuple[PhotoNote, ...] = ()


def open_picture(
    path: str | os.PathLike[str], *, max_pixels: int | None = MAX_PIXELS, long_side: int | None = None
) -> StoredPicture:
    """The main picture of a file.

    Args:
        max_pixels: more are refused. None: any number is read.
        long_side: as many pixels are enough for a JPEG of more than `SCALED_FROM` pixels; it may then be read smaller.

    Raises:
        ImageError: no picture, one that cannot be decoded, or one above `max_pixels`; the message names the path.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"{path}: no such file")
    if path.is_dir():
        raise ImageError(f"{path} is a folder, not an image")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes)")
    # Through a stream: of a path, Pillow maps uncompressed TIFF into memory, and turned ones come out scrambled.
    with named_errors(path), path.open("rb") as stream, without_pillows_limit():
        head = stream.read(64)
        stream.seek(0)
        if head[:4] in TIFF:
            return open_tiff(stream, max_pixels)
        picture = opened(stream, head)
        check_pixels(*picture.size, max_pixels)
        picture, note = main_frame(picture)
        check_pixels(*picture.size, max_pixels)
        notes = () if note is None else (several(note),)
        width, height = picture.size
        if picture.format == "PNG" and head.startswith(SIGNATURE):
            return open_png(stream, picture, notes)
        if long_side is not None and width * height > SCALED_FROM and hasattr(picture, "draft"):
            factor = min(1.0, REDUCING_GAP * long_side / max(width, height))
            picture.draft(None, (max(1, round(factor * width)), max(1, round(factor * height))))
        is_scaled_up = stated_in_full(picture, stream)
        image = ImageOps.exif_transpose(picture)
        turned = (image.width > image.height) != (width > height)
        stated = Stated(bits=16 if is_scaled_up and is_deep(image) else None)
        return StoredPicture(image, (height, width) if turned else (width, height), stated, notes)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Whatever goes wrong in a file becomes an ImageError that names it."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is not an image, or of a format that Pillow does not read") from error
    except RefusedError as error:
        raise ImageError(f"{path} {error}") from error
    except MissingExtraError as error:
        raise ImageError(f"{path} needs a library that is not installed: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, ArithmeticError) as error:
        raise ImageError(f"{path} cannot be read, it may be truncated: {error or type(error).__name__}") from error


def opened(stream: BinaryIO, head: bytes) -> Image.Image:
    """A file of any format but TIFF, its pixels not decoded yet."""
    brands = {head[place : place + 4] for place in (8, *range(16, min(len(head), int.from_bytes(head[:4], "big")), 4))}
    if head[4:8] == b"ftyp" and brands & (HEIF | AVIF):
        if not brands & AVIF:
            heif: Image.Image = require("pillow_heif.as_plugin", deep.EXTRA_NAME).HeifImageFile(stream)
            return heif
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return Image.open(stream)
            except UnidentifiedImageError as error:
                raise RefusedError("is AVIF, which this build of Pillow does not read: pip install -U pillow") from error
    picture = Image.open(stream)
    if picture.format in NO_PHOTOGRAPHS:
        raise RefusedError(f"is a file of the format {picture.format}, which is not read as a photograph")
    return picture


def main_frame(picture: Any) -> tuple[Image.Image, str | None]:
    """The largest frame of several, the first of equals (HEIF: the one it names), and a note."""
    count = 1 if picture.format in ONE_PICTURE else getattr(picture, "n_frames", 1)
    if count == 1:
        return picture, None
    if picture.format != "MPO":
        return picture, f"it holds {count} pictures: number {picture.tell() + 1} was taken"
    sizes = []
    for number in range(count):
        picture.seek(number)
        sizes.append(picture.size)
    areas = [width * height for width, height in sizes]
    number = areas.index(max(areas))
    picture.seek(number)
    alike = areas.count(max(areas)) > 1 or number
    return (
        picture,
        f"it holds {count} pictures: number {number + 1}, {picture.width} x {picture.height} px, was taken" if alike else None,
    )


def stated_in_full(picture: Any, stream: BinaryIO) -> bool:
    """Whether the file states fewer than 16 bits, by which Pillow scales deep grey up to 16: JPEG 2000 and PGM."""
    if picture.format == "PPM":
        return bool(picture.tile) and picture.tile[0][0] != "raw"
    if picture.format != "JPEG2000":
        return False
    stream.seek(0)
    head = stream.read(1 << 16)
    stream.seek(0)
    start = head.find(b"\xff\x4f\xff\x51")  # of the code stream, with its sizes
    return 0 <= start < len(head) - 43 and head[start + 42] & 0x7F < 15


def open_png(stream: BinaryIO, picture: Image.Image, notes: tuple[PhotoNote, ...]) -> StoredPicture:
    """A PNG, whose head says more of deep samples than Pillow does."""
    head = read_png_head(stream)
    stream.seek(0)
    if not head.is_deep_colour:
        image = ImageOps.exif_transpose(picture)
        bits = depth_in_use(np.asarray(image), head.significant) if is_deep(image) else None
        return StoredPicture(image, image.size, Stated(bits), notes)
    shallow = ImageOps.exif_transpose(picture)  # decodes it, which shows EXIF after the pixels
    try:
        image, found = deep.read_png(stream, head)
        image = turned_as(picture, image)
    except MissingExtraError as error:
        image, found = deep.upper_bits(shallow, error)
    return StoredPicture(image, image.size, Stated(), notes + tuple(found))


def turned_as(picture: Image.Image, image: Image.Image) -> Image.Image:
    """`image` turned as the orientation of `picture` says."""
    exif = Image.Exif()
    exif[tiff_pages.ORIENTATION] = orientation_of(picture)
    image.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(image)


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation of a decoded picture, wherever Pillow finds it."""
    return int(picture.getexif().get(tiff_pages.ORIENTATION) or 1)


def open_tiff(stream: BinaryIO, max_pixels: int | None) -> StoredPicture:
    """The main page of a TIFF: by Pillow where it has a mode for it, else by the libraries of the extra."""
    page, note = tiff_pages.main_page(tiff_pages.read_pages(stream))
    check_pixels(*page.size, max_pixels)
    notes = [] if note is None else [several(note)]
    stated = stated_by(page)
    source: Any = tiff_pages.FromPage(stream, page.offset)
    if is_read_by_pillow(page):
        try:
            image = ImageOps.exif_transpose(Image.open(source))
            return StoredPicture(as_stored(image, page), page.upright_size, stated, tuple(notes))
        except UNKNOWN_TO_PILLOW:
            pass
    source.seek(0)
    try:
        image, found = deep.read_tiff_page(source, page, stated)
    except MissingExtraError as error:
        try:
            source.seek(0)
            image, found = deep.upper_bits(ImageOps.exif_transpose(Image.open(source)), error)
        except UNKNOWN_TO_PILLOW:
            raise error from None
    return StoredPicture(image, page.upright_size, stated, (*notes, *found))


def is_read_by_pillow(page: TiffPage) -> bool:
    """Whether Pillow's mode of the page holds all of its samples' bits, and it decodes such pages rightly."""
    is_compressed = page.number(tiff_pages.COMPRESSION, 1) != 1
    if page.bits <= 8 and page.format == "u":
        is_subsampled = page.photometric == tiff_pages.YCBCR and page.numbers(tiff_pages.SUBSAMPLING, (2, 2)) != (1, 1)
        return is_compressed or not is_subsampled
    if page.samples > 1:
        return False
    if page.format == "u" and page.bits in (12, 16):
        return True
    # Decompressed samples are in the order of this machine, which Pillow forgets where the file's is the other.
    is_swapped = is_compressed and page.is_big_endian != (sys.byteorder == "big")
    return not is_swapped and page.bits in {"u": (32,), "i": (16, 32), "f": (32,)}.get(page.format, ())


def as_stored(image: Image.Image, page: TiffPage) -> Image.Image:
    """What Pillow made of a page, without what it gets wrong."""
    if page.format == "u" and page.bits == 32 and image.mode == "I":
        values = np.asarray(image).view(np.uint32)
        return image if values.max() < 2**31 else Image.fromarray(values.astype(np.float32))
    colours = page.numbers(tiff_pages.COLOURS)
    if image.mode == "P" and colours and max(colours) < 256:
        # 16-bit colours are meant; some writers give 8, of which Pillow would take the upper half: black.
        image.putpalette(np.array(colours, np.uint8).reshape(3, -1).T.tobytes())
    return image


def stated_by(page: TiffPage) -> Stated:
    """What the tags of a page say of its samples; `MaxSampleValue`, or the significant bits of OME metadata, of their depth."""
    text = page.text(tiff_pages.DESCRIPTION)
    significant = re.search(r'SignificantBits="(\d+)"', text) if "<OME" in text else None
    highest = page.number(tiff_pages.MAX_SAMPLE)
    bits = None
    if page.bits not in (16, 32):
        bits = page.bits
    elif significant is not None:
        bits = int(significant.group(1))
    elif 255 < highest < 65535:
        bits = highest.bit_length()
    try:
        nodata = float(page.text(tiff_pages.NODATA))
    except ValueError:
        nodata = None
    is_white_zero = page.photometric == tiff_pages.WHITE_IS_ZERO
    return Stated(bits, nodata, is_white_zero, signed=page.format == "i")


def of_pillow(image: Image.Image) -> StoredPicture:
    """A picture that somebody has opened with Pillow, or made."""
    with without_pillows_limit():
        name = getattr(image, "filename", "")
        if image.format == "TIFF" and name:
            # Loaded under its name, an uncompressed one would be mapped into memory, and a turned one scrambled.
            try:
                image.filename = ""  # type: ignore[attr-defined]
                image.load()
            finally:
                image.filename = name  # type: ignore[attr-defined]
        tags = dict(getattr(image, "tag_v2", {}))
        page = TiffPage(0, {tag: value if isinstance(value, tuple) else (value,) for tag, value in tags.items()})
        stated = stated_by(page) if tags else Stated()
        image = ImageOps.exif_transpose(image)
    return StoredPicture(image, image.size, replace(stated, bits=None) if not is_deep(image) else stated)
