"""What was done with each photo, in a folder: a JSON file and mask files a photo, each written whole or not at all.

A photo's file is only replaced after the masks that it names are there, so that a killed server or a full disk leaves the state
before the last click. `docs/web.md` describes the files.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basam.errors import InputError
from basam.files import read_json, write_json, write_mask
from basam.web.library import LibraryPhoto

FORMAT = "basam session 1"


class StaleError(InputError):
    """A change to a state that another page has changed since."""


@dataclass(frozen=True, kw_only=True)
class SegmentedObject:
    """An object of a photo: its prompts, and what the answer was.

    Attributes:
        points: x, y in pixels of the photo, and label: 1 on the object, 0 not on it.
        box: x0, y0, x1, y1.
        method: a key of `answering.METHODS`.
        candidate: which of several masks was chosen; None: the best by predicted IoU.
        score: predicted IoU of the mask; area: its pixels; mask: its file.
    """

    key: str
    name: str
    colour: str
    points: list[list[float]] = field(default_factory=list)
    box: list[float] | None = None
    method: str = "focus"
    candidate: int | None = None
    score: float | None = None
    area: int = 0
    mask: str | None = None


@dataclass(frozen=True)
class PhotoState:
    """Of one photo; `revision` grows with every change."""

    revision: int = 0
    done: bool = False
    objects: tuple[SegmentedObject, ...] = ()


class Session:
    """The folder; it is made when something is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()

    def file(self, photo: LibraryPhoto) -> Path:
        return self.folder / f"{photo.key}.json"

    def state(self, photo: LibraryPhoto) -> PhotoState:
        """What is kept of a photo; an empty state where nothing is.

        Raises:
            ValueError: the file is damaged, or of another format; the message names it.
        """
        path = self.file(photo)
        if not path.exists():
            return PhotoState()
        values = read_json(path)
        if values.get("format") != FORMAT:
            raise InputError(f"{path} is of format {values.get('format')!r}: {FORMAT!r} is needed")
        try:
            objects = tuple(SegmentedObject(**each) for each in values["objects"])
            return PhotoState(int(values["revision"]), bool(values["done"]), objects)
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged: {error}") from error

    def keep(self, photo: LibraryPhoto, objects: tuple[SegmentedObject, ...], done: bool, revision: int | None) -> PhotoState:
        """The next state, written.

        Args:
            revision: of the state that the change was made to; None: whatever is there.

        Raises:
            StaleError: another page has changed it since. OSError: it cannot be written; the state before stays.
        """
        with self.lock:
            before = self.state(photo)
            if revision is not None and revision != before.revision:
                raise StaleError(f"{photo.name} was changed in another window: its newest state is shown now")
            state = PhotoState(before.revision + 1, done, objects)
            values = {
                "format": FORMAT,
                "photo": str(photo.path),
                "width": photo.width,
                "height": photo.height,
                "revision": state.revision,
                "done": done,
                "objects": [asdict(each) for each in objects],
            }
            write_json(self.file(photo), values)
            kept = {each.mask for each in objects}
            for each in before.objects:
                if each.mask is not None and each.mask not in kept:
                    (self.folder / each.mask).unlink(missing_ok=True)
            return state

    def keep_mask(self, photo: LibraryPhoto, key: str, mask: NDArray[np.bool_], revision: int) -> str:
        """The name of a mask file `(H, W)` that was written; its name is new, so that the one before stays until it is not
        needed."""
        name = f"{photo.key}_{key}_{revision}.png"
        with self.lock:
            write_mask(self.folder / name, mask)
        return name

    def mask(self, photo: LibraryPhoto, each: SegmentedObject) -> NDArray[np.bool_]:
        """`(H, W)`; empty where an object has none yet."""
        if each.mask is None:
            return np.zeros((photo.height, photo.width), dtype=bool)
        path = self.folder / Path(each.mask).name
        with Image.open(path) as image:
            return np.asarray(image) > 0
