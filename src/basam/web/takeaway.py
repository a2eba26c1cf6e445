"""What can be taken away from the page: files made from a photo and its masks.

A further kind is one more entry of `WRITERS`; the page lists what stands there.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basam.errors import InputError
from basam.files import overlay
from basam.masks import tight_box
from basam.web.library import LibraryPhoto
from basam.web.session import SegmentedObject

QUALITY = 92
MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".json": "application/json"}


@dataclass(frozen=True, eq=False)
class TakenPhoto:
    """A photo that is taken away: pixels `(H, W, 3)`, its objects, and their masks `(H, W)`, one an object."""

    photo: LibraryPhoto
    pixels: NDArray[np.uint8]
    objects: Sequence[SegmentedObject]
    masks: Sequence[NDArray[np.bool_]]

    def named(self, index: int) -> str:
        """The stem of an object's file: of letters and digits, and no two alike."""
        name = re.sub(r"[^\w-]+", "_", self.objects[index].name).strip("_") or "object"
        return f"{self.photo.path.stem}_{index + 1}_{name}"


Files = Iterable[tuple[str, bytes]]
Writer = Callable[[TakenPhoto], Files]


def write_masks(taken: TakenPhoto) -> Files:
    """A black and white PNG of the photo's size for each object."""
    for index, mask in enumerate(taken.masks):
        yield f"{taken.named(index)}_mask.png", encoded(Image.fromarray(mask), "PNG")


def write_cutouts(taken: TakenPhoto) -> Files:
    """Each object on a transparent ground, cut to its box."""
    for index, mask in enumerate(taken.masks):
        if mask.any():
            x0, y0, x1, y1 = tight_box(mask).astype(int)
            alpha = mask[y0:y1, x0:x1, None].astype(np.uint8) * 255
            picture = Image.fromarray(np.concatenate([taken.pixels[y0:y1, x0:x1], alpha], axis=2))
            yield f"{taken.named(index)}_cutout.png", encoded(picture, "PNG")


def write_overlay(taken: TakenPhoto) -> Files:
    """The photo with all objects tinted and outlined."""
    drawn = Image.fromarray(overlay(taken.pixels, taken.masks))
    yield f"{taken.photo.path.stem}_overlay.jpg", encoded(drawn, "JPEG", quality=QUALITY)


def write_prompts(taken: TakenPhoto) -> Files:
    """Points, boxes and scores as JSON, as the session keeps them."""
    values = {"photo": taken.photo.name, "width": taken.photo.width, "height": taken.photo.height}
    text = json.dumps({**values, "objects": [asdict(each) for each in taken.objects]}, indent=2)
    yield f"{taken.photo.path.stem}_prompts.json", text.encode()


# Key: label on the page, and what makes the files.
WRITERS: dict[str, tuple[str, Writer]] = {
    "cutout": ("Cut-out (PNG)", write_cutouts),
    "mask": ("Mask (PNG)", write_masks),
    "overlay": ("Overlay (JPEG)", write_overlay),
    "prompts": ("Prompts (JSON)", write_prompts),
}


def take_away(kind: str, photos: Iterable[TakenPhoto]) -> tuple[str, str, bytes]:
    """Name, media type and content of what is downloaded: one file as it is, several in a ZIP.

    Raises:
        ValueError: an unknown kind, or no object to take.
    """
    if kind not in WRITERS:
        raise InputError(f"kind {kind!r}: allowed are {', '.join(WRITERS)}")
    files: dict[str, bytes] = {}
    for taken in photos:
        for name, content in WRITERS[kind][1](taken):
            files[name if name not in files else f"{taken.photo.key}_{name}"] = content
    if not files:
        raise InputError("there is no object to take away yet: set a point or draw a box first")
    if len(files) == 1:
        (name, content), *_ = files.items()
        return name, MEDIA[f".{name.rpartition('.')[2]}"], content
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return f"basam_{kind}.zip", "application/zip", stream.getvalue()


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
