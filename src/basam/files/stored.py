"""A picture in memory as stored in its file; photographs and masks are both made from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from basam.files.modes import is_deep
from basam.files.notes import PhotoNote
from basam.files.samples import Stated


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """A picture in memory.

    Attributes:
        image: upright, in the mode it is stored in: `1`, `L`, `LA`, `P`, `RGB`, `RGBA`, `CMYK`, ...; one channel of more than 8
            bits in `I;16`, `I` or `F`; colours of more than 8 bits are scaled to 8.
        size: width and height of the picture in the file, upright; `image` is smaller if it was read reduced.
        stated: what the file states about deep samples.
        notes: decisions made while reading.
    """

    image: Image.Image
    size: tuple[int, int]
    stated: Stated = field(default_factory=Stated)
    notes: tuple[PhotoNote, ...] = ()


def black_is_zero(stored: StoredPicture) -> Image.Image:
    """The stored picture with 0 as black, for pictures whose values are read, such as masks.

    Deep grey with 0 as white is inverted at the smallest of 1, 255 and 65535 that holds it, floats above 1 at their highest
    value; Pillow inverts all other modes.
    """
    if not stored.stated.white_is_zero or not is_deep(stored.image):
        return stored.image
    values = np.asarray(stored.image)
    highest = values.max()
    white = next((end for end in ((1,) if values.dtype.kind == "f" else (1, 255, 65535)) if highest <= end), highest)
    return Image.fromarray((white - values).astype(values.dtype))
