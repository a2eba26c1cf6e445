"""What was done with each photo, in a folder: one JSON file a photo, written whole or not at all.

Prompts, masks and the rest stand in one file, so that a killed server or a full disk leaves the state before the last click.
`docs/web.md` describes the files, `basam.batch.sessions` reads them as prompts.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from basam.batch import SESSION_FORMAT
from basam.errors import InputError
from basam.files import read_json, write_json
from basam.masks import RunMask, read_runs
from basam.web.library import LibraryPhoto

NOTHING = np.zeros((0, 0), dtype=bool)


class StaleError(InputError):
    """A change to a state that another page has changed since."""


@dataclass(frozen=True, kw_only=True)
class SegmentedObject:
    """An object of a photo: its prompts, and what the answer was.

    Attributes:
        points: x, y in pixels of the photo, and label: 1 on the object, 0 not on it.
        box: x0, y0, x1, y1.
        method: a key of `segmenter.METHODS`.
        candidate: which of several masks was chosen; None: the best by predicted IoU.
        score: predicted IoU of the mask; area: its pixels; mask: COCO's compressed RLE at the photo's size.
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
    mask: dict[str, Any] | None = None

    def runs(self, photo: LibraryPhoto) -> RunMask:
        """The mask; empty where there is none yet.

        Raises:
            ValueError: it is not of this photo's size.
        """
        if self.mask is None:
            return RunMask.of_part(NOTHING, 0, 0, photo.height, photo.width)
        return read_runs(self.mask, photo.height, photo.width)

    def reported(self) -> dict[str, Any]:
        """All but the mask, which the page gets as a picture."""
        return {name: value for name, value in vars(self).items() if name != "mask"}

    def has_prompts_of(self, other: SegmentedObject) -> bool:
        """Whether the prompts and the way to answer them are the same, so that the mask is."""
        names = ("points", "box", "method", "candidate")
        return all(getattr(self, name) == getattr(other, name) for name in names)


@dataclass(frozen=True)
class PhotoState:
    """Of one photo; `revision` grows with every change."""

    revision: int = 0
    done: bool = False
    objects: tuple[SegmentedObject, ...] = ()

    def object(self, key: str) -> SegmentedObject | None:
        return next((each for each in self.objects if each.key == key), None)

    def check(self, photo: LibraryPhoto, revision: int | None) -> None:
        """That a change was made to this state.

        Raises:
            StaleError: it was made to another one.
        """
        if revision is not None and revision != self.revision:
            raise StaleError(f"{photo.name} was changed in another window: its newest state is shown now")


class Session:
    """Reads and writes the states of photos. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()

    def file(self, photo: LibraryPhoto) -> Path:
        return self.folder / f"{photo.key}.json"

    def state(self, photo: LibraryPhoto) -> PhotoState:
        """What is kept of a photo; an empty state where nothing is, or what was done with another photo in its place.

        Raises:
            ValueError: the file is damaged, or of another format; the message names it.
        """
        path = self.file(photo)
        values = self.values(photo)
        if values is None:
            return PhotoState()
        if values.get("format") != SESSION_FORMAT:
            raise InputError(f"{path} is of format {values.get('format')!r}: {SESSION_FORMAT!r} is needed")
        try:
            objects = tuple(SegmentedObject(**each) for each in values["objects"])
            return PhotoState(int(values["revision"]), bool(values["done"]), objects)
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged: {error}") from error

    def aside(self, photo: LibraryPhoto, content: str) -> Path:
        """Where the state of another photo of the same path is kept."""
        return self.folder / f"{photo.key}.{content}.aside"

    def values(self, photo: LibraryPhoto) -> dict[str, Any] | None:
        """What stands in the file of this photo, which may have been put aside and come back; None where there is none."""
        for path in (self.file(photo), self.aside(photo, photo.content)):
            values = read_json(path) if path.exists() else None
            if values is not None and is_of(values, photo):
                return values
        return None

    def put_aside(self, photo: LibraryPhoto) -> None:
        """Give the state of another photo of this path a file of its own, before it would be overwritten."""
        path = self.file(photo)
        values = read_json(path) if path.exists() else None
        if values is not None and not is_of(values, photo):
            path.replace(self.aside(photo, str(values.get("content", "former"))))

    def keep(self, photo: LibraryPhoto, objects: tuple[SegmentedObject, ...], done: bool, revision: int | None) -> PhotoState:
        """The next state, written.

        Args:
            revision: of the state that the change was made to; None: whatever is there.

        Raises:
            StaleError: another page has changed it since. OSError: it cannot be written; the state before stays.
        """
        with self.lock:
            before = self.state(photo)
            before.check(photo, revision)
            self.put_aside(photo)
            state = PhotoState(before.revision + 1, done, objects)
            values = {
                "format": SESSION_FORMAT,
                "photo": str(photo.path),
                "width": photo.width,
                "height": photo.height,
                "content": photo.content,
                "revision": state.revision,
                "done": done,
                "objects": [asdict(each) for each in objects],
            }
            write_json(self.file(photo), values)
            return state


def is_of(values: dict[str, Any], photo: LibraryPhoto) -> bool:
    """Whether a state was made on this photo, and not on another one that lay in its place."""
    if "width" in values and (values["width"], values.get("height")) != (photo.width, photo.height):
        return False
    return values.get("content") in (None, photo.content)
