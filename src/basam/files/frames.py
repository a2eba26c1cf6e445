"""Files of every format but TIFF: opened by the library that reads it, the main one of several pictures chosen."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, features

from basam.errors import MissingExtraError
from basam.files import deep
from basam.files.modes import is_deep
from basam.files.notes import PhotoNote, UnsupportedImageError
from basam.files.optional import require
from basam.files.png_head import depth_in_use, read_png_head
from basam.files.samples import Stated
from basam.files.stored import StoredPicture

HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF = {b"avif", b"avis"}
# Formats that Pillow opens but that are not photographs: vector drawings, and tables of measurements.
NO_PHOTOGRAPHS = ("EPS", "WMF", "FITS", "BUFR", "GRIB", "HDF5")
# Formats whose further frames are layers or smaller copies of the one that Pillow shows.
ONE_PICTURE = ("PSD", "ICO", "ICNS", "CUR")
ORIENTATION = 0x0112
SWAPPING = (5, 6, 7, 8)  # orientations that swap height and width


def opened(stream: BinaryIO, head: bytes) -> Image.Image:
    """A file of any format but TIFF, its pixels not decoded yet."""
    brands = {head[place : place + 4] for place in (8, *range(16, min(len(head), int.from_bytes(head[:4], "big")), 4))}
    if head[4:8] == b"ftyp" and brands & (HEIF | AVIF):
        if not brands & AVIF:
            heif: Image.Image = require("pillow_heif.as_plugin", deep.EXTRA_NAME).HeifImageFile(stream)
            return heif
        if not features.check("avif"):
            raise UnsupportedImageError("is AVIF, which this build of Pillow does not read: pip install -U pillow")
    picture = Image.open(stream)
    if picture.format in NO_PHOTOGRAPHS:
        raise UnsupportedImageError(f"is a file of the format {picture.format}, which is not read as a photograph")
    return picture


def main_frame(picture: Any) -> tuple[Image.Image, str | None]:
    """The largest frame, the first of equals (for HEIF the primary one), and a note."""
    count = 1 if picture.format in ONE_PICTURE else getattr(picture, "n_frames", 1)
    if count == 1:
        return picture, None
    if picture.format != "MPO":
        return picture, taken(count, picture)
    sizes = []
    for number in range(count):
        picture.seek(number)
        sizes.append(picture.size)
    areas = [width * height for width, height in sizes]
    number = areas.index(max(areas))
    picture.seek(number)
    # A smaller frame beside the photograph is a preview or a gain map, as many phones add one.
    return picture, taken(count, picture) if number or areas.count(max(areas)) > 1 else None


def taken(count: int, picture: Image.Image) -> str:
    """A note that names the chosen frame."""
    return f"it holds {count} pictures: number {picture.tell() + 1}, {picture.width} x {picture.height} px, was taken"


def jpeg_2000_bits(stream: BinaryIO) -> int:
    """Bits of the first component of a JPEG 2000 file, from the sizes at the start of its code stream; 0 where unknown."""
    stream.seek(0)
    head = stream.read(1 << 16)
    stream.seek(0)
    start = head.find(b"\xff\x4f\xff\x51")
    return (head[start + 42] & 0x7F) + 1 if 0 <= start < len(head) - 43 else 0


def open_jpeg_2000(stream: BinaryIO, picture: Image.Image) -> StoredPicture:
    """A JPEG 2000. Pillow scales deep grey up to 16 bits; of deep colours, it makes white black."""
    bits = jpeg_2000_bits(stream)
    if bits > 8 and not is_deep(picture):
        image, notes = deep.read_jpeg_2000(stream, bits)
        return StoredPicture(image, image.size, Stated(), tuple(notes), "JPEG2000", bits)
    image = ImageOps.exif_transpose(picture)
    stated = Stated(16 if is_deep(image) and 8 < bits < 16 else None)
    return StoredPicture(image, image.size, stated, format="JPEG2000")


def is_scaled_up(picture: Any) -> bool:
    """Whether a PGM states fewer than 16 bits, by which Pillow scales it up to 16."""
    return picture.format == "PPM" and bool(picture.tile) and picture.tile[0][0] != "raw"


def open_png(stream: BinaryIO, picture: Image.Image, notes: tuple[PhotoNote, ...]) -> StoredPicture:
    """A PNG; its header tells more about deep samples than Pillow does."""
    head = read_png_head(stream)
    stream.seek(0)
    if not head.is_deep_colour:
        image = ImageOps.exif_transpose(picture)
        bits = depth_in_use(np.asarray(image), head.significant) if is_deep(image) else None
        return StoredPicture(image, image.size, Stated(bits), notes, "PNG", head.bits, len(notes))
    shallow = ImageOps.exif_transpose(picture)  # decodes it, which shows EXIF after the pixels
    try:
        image, deep_notes = deep.read_png(stream, head)
        image = oriented_as(picture, image)
    except MissingExtraError as error:
        image, deep_notes = deep.upper_bits(shallow, error)
    return StoredPicture(image, image.size, Stated(), notes + tuple(deep_notes), "PNG", head.bits, len(notes))


def oriented_as(picture: Image.Image, image: Image.Image) -> Image.Image:
    """`image` rotated by the EXIF orientation of `picture`."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation_of(picture)
    image.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(image)


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation of a decoded picture, wherever Pillow finds it."""
    return int(picture.getexif().get(ORIENTATION) or 1)
