"""What was done with each photo, in a folder: one JSON file a photo, written whole or not at all.

Prompts, masks and the rest stand in one file, so that a killed server or a full disk leaves the state before the last click.
`docs/web.md` describes the files, `basam.batch.sessions` reads them as prompts.
"""

from __future__ import annotations

import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from basam.batch import SESSION_FORMAT
from basam.errors import FileError, InputError, MissingFileError
from basam.files import read_json, write_json
from basam.masks import RunMask, read_runs
from basam.web.library import LibraryPhoto, readable
from basam.web.prompts import check_key, checked_colour, prompts_of

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
    """Reads and writes the states of photos. Threads may share it; one server at a time has the folder.

    Attributes:
        notes: damaged files that were renamed, a line each.

    Raises:
        ValueError: another server uses the folder. OSError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.notes: list[str] = []
        self.cached: dict[LibraryPhoto, tuple[int | None, PhotoState]] = {}  # by photo, with the time of its file
        # The operating system releases it however the process ends.
        self.in_use = FileLock(folder / ".lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.in_use.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{folder} is the session folder of another basam web that is running: stop that one, or give this one "
                "a folder of its own with --session"
            ) from None
        except OSError as error:
            raise FileError(f"cannot write to the session folder {folder}: {error.strerror or error}") from error

    def close(self) -> None:
        self.in_use.release()

    def file(self, photo: LibraryPhoto) -> Path:
        return self.folder / f"{photo.key}.json"

    def state(self, photo: LibraryPhoto) -> PhotoState:
        """The saved state of a photo; an empty one where there is none, or where it is of another photo of the same path. A
        file that cannot be read is renamed, with a note, so that it stops nobody and is not lost."""
        with self.lock:
            path = self.file(photo)
            stamp = path.stat().st_mtime_ns if path.exists() else None
            cached = self.cached.get(photo)
            if cached is not None and cached[0] == stamp:
                return cached[1]
            try:
                values = self.values(photo)
                state = PhotoState() if values is None else state_of(values, photo)
                self.cached[photo] = stamp, state
                return state
            except InputError as error:
                damaged = path.with_name(f"{path.name}.damaged")
                path.replace(damaged)
                self.notes.append(f"{photo.name}: {error}. The file is now {damaged.name}, and the photo begins anew")
                return PhotoState()

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
                "photo": os.path.relpath(photo.path, self.folder),
                "width": photo.width,
                "height": photo.height,
                "content": photo.content,
                "revision": state.revision,
                "done": done,
                "objects": [asdict(each) for each in objects],
            }
            write_json(self.file(photo), values)
            self.cached[photo] = self.file(photo).stat().st_mtime_ns, state
            return state


def state_of(values: dict[str, Any], photo: LibraryPhoto) -> PhotoState:
    """The state in a file.

    Raises:
        ValueError: it is of another format, or damaged.
    """
    if values.get("format") != SESSION_FORMAT:
        raise InputError(f"format {values.get('format')!r}: {SESSION_FORMAT!r} is needed")
    try:
        objects = tuple(SegmentedObject(**{**each, "name": readable(each["name"])}) for each in values["objects"])
        state = PhotoState(int(values["revision"]), bool(values["done"]), objects)
        for each in state.objects:
            check_key(each.key)
            checked_colour(each.colour)
            prompts_of(each.reported(), photo)
            each.runs(photo)
    except (KeyError, TypeError, AttributeError, MissingFileError) as error:
        raise InputError(f"a value is missing or wrong: {error}") from error
    return state


def is_of(values: dict[str, Any], photo: LibraryPhoto) -> bool:
    """Whether a state was made on this photo, and not on another one that lay in its place."""
    if "width" in values and (values["width"], values.get("height")) != (photo.width, photo.height):
        return False
    return values.get("content") in (None, photo.content)
