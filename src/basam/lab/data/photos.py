"""Load photographs of a data set; what is unusual about them becomes issues."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from basam.files import ImageError, read_photograph
from basam.lab.data.issues import Issue, SampleError

# Problems by the kind of a note on a photograph.
PROBLEM_OF = {
    "several-pictures": "several-pictures",
    "chosen-range": "chosen-range",
    "hidden": "hidden-image",
    "other": "odd-image",
}


def open_photo(path: Path, max_pixels: int | None) -> tuple[Image.Image, tuple[Issue, ...]]:
    """The photograph in mode `RGB`, upright, and notes on what was unusual.

    Raises:
        SampleError: it is missing, truncated, no image, or has more than `max_pixels` (None: any number).
    """
    try:
        photo = read_photograph(path, max_pixels=max_pixels)
    except (ImageError, OSError) as error:
        raise SampleError(Issue("unreadable-image", str(path), without_path(error, path))) from error
    return photo.image, tuple(Issue(PROBLEM_OF[note.kind], str(path), note.text) for note in photo.notes)


def without_path(error: Exception, path: Path) -> str:
    """The text of an error about a file, without its name."""
    return str(error).removeprefix(str(path)).lstrip(": ")


def check_sizes(image: Image.Image, height: int, width: int, image_path: Path, mask_name: str) -> None:
    """Raise SampleError unless the upright image is `width` x `height`."""
    if image.size != (width, height):
        detail = f"image {image.width} x {image.height}, {mask_name} {width} x {height}"
        if image.size == (height, width):
            detail += "; one of the two is turned: EXIF orientation has been applied to the image"
        raise SampleError(Issue("size-mismatch", str(image_path), detail))
