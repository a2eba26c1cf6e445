"""A picture in memory as stored in its file; photographs and masks are both made from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

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
        format: of the file, as Pillow names it; bits: of a sample as stored, where that is not 8.
        others: further pictures of the same size in the file.
    """

    image: Image.Image
    size: tuple[int, int]
    stated: Stated = field(default_factory=Stated)
    notes: tuple[PhotoNote, ...] = ()
    format: str = ""
    bits: int = 8
    others: int = 0
