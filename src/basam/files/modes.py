"""Pictures of every mode that Pillow knows as RGB of 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from basam.files.notes import PhotoNote, hidden
from basam.files.samples import Stated, to_bytes

DEEP = ("I", "F")
# Alpha below this of 255 is invisible; so is that of a file that stores 0 and 1 for 0 and 255.
VISIBLE = 13


def is_deep(image: Image.Image) -> bool:
    """Whether it has one channel of more than 8 bits."""
    return image.mode in DEEP or image.mode.startswith("I;16")


def in_rgb(image: Image.Image, stated: Stated) -> tuple[Image.Image, list[PhotoNote]]:
    """An upright picture in mode RGB, and notes. Alpha is laid over white, pixels without data are black.

    Raises:
        UnsupportedImageError: no pixel of it holds data.
        ValueError: a mode that cannot be converted.
    """
    if is_deep(image):
        return deep_grey(image, stated)
    notes: list[PhotoNote] = []
    missing = None if stated.nodata is None or image.mode == "P" else equal_to(image, stated.nodata)
    if image.has_transparency_data:
        image, notes = over_white(image)
    elif image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        image = converted
    image = image if image.mode == "RGB" else image.convert("RGB")
    if missing is not None:
        image.paste((0, 0, 0), mask=Image.fromarray(missing))
    return image, notes


def equal_to(image: Image.Image, value: float) -> NDArray[np.bool_] | None:
    """Pixels `(H, W)` of 8 bits whose colours all are `value`; None where there are none, or where all are."""
    colours = {"RGBA": 3, "LA": 1}.get(image.mode)
    values = np.asarray(image)
    values = values[..., :colours] if colours else values
    equal = values == value
    equal = equal.all(axis=2) if equal.ndim == 3 else equal
    return equal if equal.any() and not equal.all() else None


def deep_grey(image: Image.Image, stated: Stated) -> tuple[Image.Image, list[PhotoNote]]:
    values = np.asarray(image)
    grey, notes = to_bytes(values, stated)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey = np.where(values == key, np.uint8(255), grey)
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=2)), notes


def over_white(image: Image.Image) -> tuple[Image.Image, list[PhotoNote]]:
    """A picture with transparency laid over white, and a note if all of it is transparent."""
    if image.mode == "La":
        image = image.convert("LA")
    image = image if image.mode == "RGBA" else image.convert("RGBA")
    highest = int(np.asarray(image.getchannel("A")).max())
    notes = [hidden("its alpha channel hides all of it: it was read as white")] if highest < VISIBLE else []
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image), notes
