"""A picture in memory as its file holds it: what photographs and masks are both made of."""

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
        size: width and height of the picture in the file, upright; `image` is smaller where less was wanted.
        stated: what the file says of deep samples.
        notes: what had to be decided.
    """

    image: Image.Image
    size: tuple[int, int]
    stated: Stated = field(default_factory=Stated)
    notes: tuple[PhotoNote, ...] = ()


def black_is_zero(stored: StoredPicture) -> Image.Image:
    """The stored picture with 0 as black: for what is measured by its values, such as masks.

    Deep grey that has 0 as white is turned round at the smallest of 1, 255 and 65535 that holds it, floats above 1 at their
    highest value; all other modes are turned round by Pillow.
    """
    if not stored.stated.white_is_zero or not is_deep(stored.image):
        return stored.image
    values = np.asarray(stored.image)
    highest = values.max()
    white = next((end for end in ((1,) if values.dtype.kind == "f" else (1, 255, 65535)) if highest <= end), highest)
    return Image.fromarray((white - values).astype(values.dtype))
