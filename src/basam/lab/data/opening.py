"""A picture file into memory with Pillow, upright, and what is known of how its values were stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from basam.files import RefusedError, check_pixels, without_pillows_limit
from basam.lab.data.issues import Issue, SampleError

PHOTOMETRIC, BITS, SAMPLE_FORMAT, NODATA = 262, 258, 339, 42113  # tags of TIFF


@dataclass(frozen=True, eq=False)
class Stored:
    """A decoded picture, EXIF orientation applied, in the mode it was stored in.

    Attributes:
        raw_mode: how Pillow unpacked it: `L;2` are two bits per pixel that were spread over eight.
        format: Pillow's name of the file format.
        inverted: 0 is white in the file and Pillow has left it so.
        unsigned: 32-bit whole numbers without a sign, which Pillow holds with one.
        nodata: the value that stands for no measurement (GDAL), where the file names one other than 0, which is background.
    """

    image: Image.Image
    raw_mode: str
    format: str
    inverted: bool = False
    unsigned: bool = False
    nodata: float | None = None


def read_stored(path: Path, max_pixels: int | None) -> Stored:
    """The one picture of a mask file, decoded.

    Of several pictures the largest is taken (thumbnails and previews are smaller).

    Raises:
        SampleError: the file is missing, truncated, no image, of more than `max_pixels`, or holds several pictures of one
            size.
    """
    try:
        # Through a stream: of a path, Pillow maps uncompressed TIFF into memory, and turned ones come out scrambled.
        with without_pillows_limit(), path.open("rb") as stream, Image.open(stream) as image:
            _seek_largest(image, path)
            width, height = image.size
            check_pixels(width, height, max_pixels)
            facts = _facts(image)
            image.load()
            return Stored(ImageOps.exif_transpose(image), **facts)
    except UnidentifiedImageError as error:
        detail = "it is not an image, or of a kind that Pillow does not read"
        raise SampleError(Issue("unreadable-mask", str(path), detail)) from error
    except (OSError, SyntaxError, ValueError, EOFError, RefusedError) as error:
        if isinstance(error, SampleError):
            raise
        raise SampleError(Issue("unreadable-mask", str(path), str(error) or type(error).__name__)) from error


def _seek_largest(image: Image.Image, path: Path) -> None:
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return
    sizes = []
    for number in range(count):
        image.seek(number)
        sizes.append(image.size)
    largest = max(sizes, key=lambda size: size[0] * size[1])
    if sizes.count(largest) > 1:
        detail = f"it holds {sizes.count(largest)} pictures of {largest[0]} x {largest[1]}: keep one mask a file"
        raise SampleError(Issue("unreadable-mask", str(path), detail))
    image.seek(sizes.index(largest))


def _facts(image: Image.Image) -> dict[str, Any]:
    """What `Stored` says beside the image; some of it is gone once the image is loaded or turned."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0][3] if tiles else ""
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    facts: dict[str, Any] = {"raw_mode": raw_mode if isinstance(raw_mode, str) else "", "format": image.format or ""}
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return facts
    deep = image.mode in ("F", "I") or image.mode.startswith("I;16")
    bits, kind = tags.get(BITS, (1,)), tags.get(SAMPLE_FORMAT, (1,))
    return facts | {
        "inverted": deep and tags.get(PHOTOMETRIC) == 0,
        "unsigned": image.mode == "I" and tuple(bits) == (32,) and tuple(kind) == (1,),
        "nodata": _number(tags.get(NODATA)) or None,
    }


def _number(text: object) -> float | None:
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None
