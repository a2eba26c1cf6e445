"""The photograph in a TIFF file, read by Pillow if it has a mode for its samples and decodes them correctly, otherwise by the
libraries of the extra `formats`."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from basam.errors import MissingExtraError
from basam.files import deep, tiff_pages
from basam.files.limits import bytes_of, check_pixels, without_pillows_limit
from basam.files.modes import is_deep
from basam.files.notes import several
from basam.files.samples import Stated
from basam.files.stored import StoredPicture
from basam.files.tiff_pages import TiffPage

WEBP = 50001  # a compression that the libtiff in Pillow's wheels does not know
# What Pillow raises for TIFF layouts it does not know.
UNKNOWN_TO_PILLOW = (UnidentifiedImageError, KeyError, ValueError)


def open_tiff(stream: BinaryIO, max_pixels: int | None) -> StoredPicture:
    """The main page of a TIFF, read by Pillow if it has a mode for it, otherwise by the libraries of the extra."""
    pages = tiff_pages.read_pages(stream)
    page, note = tiff_pages.main_page(pages)
    about: dict[str, Any] = {
        "format": "TIFF",
        "bits": page.bits,
        "others": [other.size for other in pages].count(page.size) - 1,
    }
    check_pixels(*page.size, max_pixels, bytes_of(stream))
    notes = [] if note is None else [several(note)]
    stated = stated_by(page)
    source: Any = tiff_pages.TiffFromPage(stream, page.offset)
    if is_read_by_pillow(page):
        try:
            image = ImageOps.exif_transpose(Image.open(source))
            return StoredPicture(as_stored(image, page), page.upright_size, stated, tuple(notes), **about)
        except UNKNOWN_TO_PILLOW:
            pass
    source.seek(0)
    try:
        image, scaling = deep.read_tiff_page(source, page, stated)
    except MissingExtraError as error:
        # Pillow scrambles uncompressed colours that are stored in separate planes.
        if page.format != "u" or page.bits != 16 or page.samples == 1 or page.number(tiff_pages.PLANAR, 1) != 1:
            raise
        try:
            source.seek(0)
            image, scaling = deep.upper_bits(ImageOps.exif_transpose(Image.open(source)), error)
        except UNKNOWN_TO_PILLOW:
            raise error from None
    return StoredPicture(image, page.upright_size, stated, (*notes, *scaling), **about)


def is_read_by_pillow(page: TiffPage) -> bool:
    """Whether Pillow has a mode that holds all bits of the page's samples, and decodes such pages correctly."""
    if page.number(tiff_pages.COMPRESSION, 1) == WEBP:
        return False
    is_compressed = page.number(tiff_pages.COMPRESSION, 1) != 1
    if page.bits <= 8 and page.format == "u":
        return is_compressed or not page.is_subsampled
    if page.samples > 1:
        return False
    if page.format == "u" and page.bits in (12, 16):
        return True
    # Pillow swaps bytes when it decodes compressed samples, and then forgets that it did.
    is_swapped = is_compressed and page.is_big_endian != (sys.byteorder == "big")
    return not is_swapped and page.bits in {"u": (32,), "i": (16, 32), "f": (32,)}.get(page.format, ())


def as_stored(image: Image.Image, page: TiffPage) -> Image.Image:
    """A page as Pillow read it, with its mistakes corrected."""
    if page.format == "u" and page.bits == 32 and image.mode == "I":
        values = np.asarray(image).view(np.uint32)
        return image if values.max() < 2**31 else Image.fromarray(values.astype(np.float32))
    colours = page.numbers(tiff_pages.COLOURS)
    if image.mode == "P" and colours and max(colours) < 256:
        # The format has 16-bit colours; some writers store 8, of which Pillow would take the upper half: black.
        image.putpalette(np.array(colours, np.uint8).reshape(3, -1).T.tobytes())
    return image


def stated_by(page: TiffPage) -> Stated:
    """What the tags of a page state of its samples: `MaxSampleValue`, or the significant bits in OME metadata."""
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
    return Stated(bits, nodata, is_white_zero, is_measured=page.format == "i" and nodata is not None)


def of_pillow(image: Image.Image) -> StoredPicture:
    """A picture that the caller opened with Pillow, or made."""
    with without_pillows_limit():
        name = getattr(image, "filename", "")
        if image.format == "TIFF" and name:
            # With a file name, Pillow maps an uncompressed file into memory, and scrambles a rotated one.
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
