"""Samples of more than 8 bits that Pillow has no mode for, read by tifffile and imagecodecs."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basam.errors import MissingExtraError
from basam.files.notes import PhotoNote, UnsupportedImageError, remark
from basam.files.optional import require
from basam.files.png_head import PngHead, depth_in_use
from basam.files.samples import Stated, to_bytes
from basam.files.tiff_pages import (
    BLACK_IS_ZERO,
    CMYK,
    COLOURS,
    EXTRA,
    FORMAT,
    ORIENTATION,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    TiffPage,
)

EXTRA_NAME = "formats"
# Pillow's mode for 8-bit colours, by their number of channels.
MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def read_tiff_page(source: BinaryIO, page: TiffPage, stated: Stated) -> tuple[Image.Image, list[PhotoNote]]:
    """The first page of `source`, upright: grey in a mode that holds its values, colours scaled to 8 bits.

    Raises:
        MissingExtraError: tifffile or imagecodecs is missing.
        ValueError: it cannot be decoded.
        UnsupportedImageError: a kind of samples that is not supported.
    """
    if page.photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR) or page.format == "?":
        kind = f"photometric interpretation {page.photometric}, sample format {page.number(FORMAT, 1)}, {page.bits} bits"
        raise UnsupportedImageError(f"is a TIFF of a kind that is not read: {kind}")
    values = decode_tiff(source, page)
    values = upright(values, page.number(ORIENTATION, 1))
    if page.photometric == PALETTE:
        return coloured(values.reshape(values.shape[:2]), page), []
    count = {RGB: 3, YCBCR: 3, CMYK: 4}.get(page.photometric, 1)
    if values.shape[2] < count:
        raise ValueError(f"it has {values.shape[2]} channels and should have {count}")
    kinds = page.numbers(EXTRA)
    alpha = values[..., count] if values.shape[2] > count and kinds and kinds[0] in (1, 2) else None
    notes = []
    if count == 1 and alpha is None and values.shape[2] > 1:
        count = 3 if values.shape[2] >= 3 else 1
        what = "the first three of its {} bands were taken as red, green and blue" if count == 3 else "its first band was taken"
        notes.append(remark(what.format(values.shape[2])))
    if count == 1 and alpha is None:
        image, scaling = holding(values[..., 0], stated)
    else:
        image, scaling = in_eight_bits(values[..., :count], alpha, stated, is_premultiplied=bool(kinds) and kinds[0] == 1)
    return image, notes + scaling


def decode_tiff(source: BinaryIO, page: TiffPage) -> NDArray[Any]:
    """Samples `(H, W, C)` as stored."""
    tifffile = require("tifffile", EXTRA_NAME)
    try:
        with tifffile.TiffFile(source) as file:
            read = file.pages[0]
            values, axes = np.asarray(read.asarray()), read.axes
    except Exception as error:  # whatever its decoders raise
        if "imagecodecs" in str(error):
            require("imagecodecs", EXTRA_NAME)
        raise ValueError(str(error)) from error
    if axes == "SYX":
        values = np.moveaxis(values, 0, 2)
    elif axes == "YX":
        values = values[..., None]
    elif axes != "YXS":
        raise ValueError(f"it has the axes {axes}: a picture of height, width and channels is needed")
    if values.shape[1::-1] != page.size:
        raise ValueError(f"its pixels are {values.shape[1]} x {values.shape[0]}, its tags say {page.size[0]} x {page.size[1]}")
    return values


def upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Samples `(H, W, C)` rotated and mirrored by the EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values


def coloured(index: NDArray[Any], page: TiffPage) -> Image.Image:
    """A picture of palette indices in its colours."""
    table = np.array(page.numbers(COLOURS), np.uint32).reshape(3, -1).T
    if not len(table) or int(index.max()) >= len(table):
        raise ValueError(f"it has {len(table)} colours and the index {index.max()}")
    # Some writers store 8-bit colours where the format has 16.
    return Image.fromarray((table if table.max() < 256 else table >> 8).astype(np.uint8)[index])


def holding(values: NDArray[Any], stated: Stated) -> tuple[Image.Image, list[PhotoNote]]:
    """Grey `(H, W)` in a Pillow mode that holds its values; scaled to 8 bits if there is none."""
    mode = np.uint8 if values.dtype == np.uint8 else np.uint16 if values.dtype == np.uint16 else np.float32
    with np.errstate(over="ignore"):
        held = values.astype(mode)
    if not np.array_equal(held.astype(np.float64), values.astype(np.float64), equal_nan=True):
        grey, notes = to_bytes(values, stated)
        return Image.fromarray(grey), notes
    if mode is np.uint8 and stated.white_is_zero:
        held = 255 - held
    return Image.fromarray(np.ascontiguousarray(held)), []


def in_eight_bits(
    colours: NDArray[Any], alpha: NDArray[Any] | None, stated: Stated, *, is_premultiplied: bool = False
) -> tuple[Image.Image, list[PhotoNote]]:
    """Colours `(H, W, 1, 3 or 4)` scaled by one range to 8 bits, with an alpha channel `(H, W)` of its own range."""
    notes: list[PhotoNote] = []
    if colours.dtype == np.uint8:
        small = 255 - colours if stated.white_is_zero else colours
    else:
        small, notes = to_bytes(colours, stated)
    small = np.ascontiguousarray(small[..., 0] if small.shape[2] == 1 else small)
    image = Image.frombytes(MODES[colours.shape[2]], (small.shape[1], small.shape[0]), small.tobytes())
    if alpha is None:
        return image, notes
    opaque = Image.fromarray(alpha if alpha.dtype == np.uint8 else to_bytes(alpha, Stated(stated.bits))[0])
    if is_premultiplied and image.mode == "RGB":
        return Image.merge("RGBa", (*image.split(), opaque)).convert("RGBA"), notes
    image = image.convert("RGB") if image.mode == "CMYK" else image
    image.putalpha(opaque)
    return image, notes


def read_png(stream: BinaryIO, head: PngHead) -> tuple[Image.Image, list[PhotoNote]]:
    """A PNG of 16-bit colours, as stored, scaled to 8 bits. Errors: see `decoded`."""
    colours, alpha = decoded(stream, "png_decode")
    if alpha is None and head.key is not None:
        alpha = np.where((colours == np.array(head.key, np.uint16)).all(axis=2), 0, 255).astype(np.uint8)
    return in_eight_bits(colours, alpha, Stated(depth_in_use(colours, head.significant)))


def read_jpeg_2000(stream: BinaryIO, bits: int) -> tuple[Image.Image, list[PhotoNote]]:
    """A JPEG 2000 of `bits` bits per colour, more than 8, scaled to 8. Errors: see `decoded`."""
    colours, alpha = decoded(stream, "jpeg2k_decode")
    return in_eight_bits(colours, alpha, Stated(bits if bits < 16 else None))


def decoded(stream: BinaryIO, decoder: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Colours `(H, W, 1 or 3)` and alpha `(H, W)` of a file, decoded by a function of imagecodecs.

    Raises:
        MissingExtraError: imagecodecs is missing.
        ValueError: it cannot be decoded.
    """
    imagecodecs = require("imagecodecs", EXTRA_NAME)
    stream.seek(0)
    try:
        values = np.asarray(getattr(imagecodecs, decoder)(stream.read()))
    except Exception as error:  # whatever its decoders raise
        raise ValueError(str(error)) from error
    count = 3 if values.shape[2] >= 3 else 1
    return values[..., :count], values[..., count] if values.shape[2] > count else None


def upper_bits(image: Image.Image, missing: MissingExtraError) -> tuple[Image.Image, list[PhotoNote]]:
    """The upper 8 of 16 bits, which Pillow reads, if the library for all of them is missing.

    Raises:
        MissingExtraError: fewer than 16 bits are in use, so the upper ones hold almost nothing.
    """
    colours = image.convert(image.mode[:-1]) if image.mode.endswith("A") else image
    if int(np.asarray(colours).max()) < 64:
        raise missing
    return image, [remark(f"the upper 8 of its 16 bits were read; for all of them: {missing}")]
