"""Mask files into memory as bool arrays, upright, with every defect named; photographs are read in `photos`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from basam.data.issues import Issue, SampleError
from basam.files import MAX_PIXELS, ImageError, black_is_zero, open_picture

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def read_mask(path: Path, max_pixels: int | None = MAX_PIXELS) -> tuple[np.ndarray, list[Issue]]:
    """The mask in `path`, (H, W) bool, and what was odd about it.

    Values of 128 and more are the object. A file whose values are 0 and 1 only holds 1 for the object. Colours become
    luminance, alpha is dropped, 16 bits are read as such (half is 32768).

    Raises:
        SampleError: the file cannot be read, or the mask has no pixel.
    """
    image = _decoded(path, "unreadable-mask", max_pixels)
    if image.mode == "1":
        values, full = np.asarray(image).astype(np.uint8) * 255, 255
    elif image.mode in _SIXTEEN_BIT:
        values, full = np.asarray(image), 65535
    else:
        values, full = np.asarray(image.convert("L")), 255
    highest = int(values.max())
    if highest == 0:
        raise SampleError(Issue("empty-mask", str(path)))
    if highest == 1:
        return values == 1, [Issue("zero-one-mask", str(path))]
    between = int(np.count_nonzero((values != 0) & (values != full)))
    mask = values > full / 2
    if not mask.any():
        raise SampleError(Issue("empty-mask", str(path), f"all values are below half of {full}, the highest is {highest}"))
    if between:
        share = between / values.size
        return mask, [Issue("non-binary-mask", str(path), f"{between} pixels, {share:.2%}")]
    return mask, []


def check_sizes(image: Image.Image, height: int, width: int, image_path: Path, mask_name: str) -> None:
    """Raise SampleError unless the upright image is `width` x `height`."""
    if image.size != (width, height):
        detail = f"image {image.width} x {image.height}, {mask_name} {width} x {height}"
        if image.size == (height, width):
            detail += "; one of the two is turned: EXIF orientation has been applied to the image"
        raise SampleError(Issue("size-mismatch", str(image_path), detail))


def _decoded(path: Path, problem: str, max_pixels: int | None) -> Image.Image:
    try:
        return black_is_zero(open_picture(path, max_pixels=max_pixels))
    except (ImageError, OSError) as error:
        raise SampleError(Issue(problem, str(path), str(error).removeprefix(str(path)).lstrip(": "))) from error
