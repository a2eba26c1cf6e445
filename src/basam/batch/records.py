"""`records.jsonl` in a folder of results: photo, settings and files of every result, one JSON object per line.

    {"photo": "../photos/a.jpg", "name": "a.jpg", "stem": "a", "stamp": [183442, 1764201600000000000, "5c..."], "key": "9f...",
     "files": ["a_mask.png"], "rows": [...], "masks": [...]}
    {"photo": "../photos/b.jpg", "error": "b.jpg is not an image"}

`photo` is the path of the photo relative to the folder of results, as it was given: links keep their own names, and a folder
that is moved together with its photos stays valid. Before files are written a line names them (`"writing": true`), so that
files of a killed run are recognised. Several processes may append to one file: a line is written whole, under a lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from basam.errors import FileError, OccupiedError
from basam.files import append_json, begins_with, digest_of, read_json_at, read_json_lines

RECORDS = "records.jsonl"
BEGINNING = b'{"photo":'  # of its lines


def key_of(settings: dict[str, Any]) -> str:
    """A short hash of prompts and settings, independent of their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def content_of(photo: Path) -> str:
    """A hash of a file's bytes."""
    return digest_of(photo, hashlib.blake2b(digest_size=16))


def stamp_of(photo: Path) -> list[int | str]:
    """Size, modification time and content hash of a photo."""
    stat = photo.stat()
    return [stat.st_size, stat.st_mtime_ns, content_of(photo)]


def is_unchanged(photo: Path, stamp: list[Any]) -> bool:
    """Whether a file is still the photo of a stamp. It is read only if its modification time differs, as in a copy."""
    try:
        stat = photo.stat()
        return stat.st_size == stamp[0] and (stat.st_mtime_ns == stamp[1] or content_of(photo) == stamp[2])
    except OSError:
        return False


class Written(NamedTuple):
    """The last finished line of a photo: its offset, and the values that are needed without reading it again. The lines of a
    million photos would fill the memory."""

    key: str
    offset: int
    image_id: int | str | None = None
    own_id: bool = False  # `image_id` is from the user's COCO file
    drawn: bool = False  # the line has masks


def id_of_category(categories: Mapping[int | str, Mapping[str, Any]], name: str) -> tuple[int | str, bool]:
    """The id of a category, or the next free one if it is new; and whether it is."""
    for identity, category in categories.items():
        if category["name"] == name:
            return identity, False
    return max((known for known in categories if isinstance(known, int)), default=0) + 1, True


class Records:
    """The records in the folder `root`, which may be absent.

    Args:
        shared: other processes append at the same time; a file system without locks then raises.

    Attributes:
        last: finished line per photo. owners: photo per file; files: per photo. stems, names: photo per stem and name.
        categories: of COCO, by id.

    Raises:
        FileExistsError: the file is not a record of basam.
    """

    def __init__(self, root: Path, *, shared: bool = False) -> None:
        self.root, self.shared = Path(os.path.abspath(root)), shared
        self.file = root / RECORDS
        self.last: dict[str, Written] = {}
        self.owners: dict[str, str] = {}
        self.files: dict[str, tuple[str, ...]] = {}
        self.stems: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.stem_of: dict[str, str] = {}
        self.name_of: dict[str, str] = {}
        self.categories: dict[int | str, dict[str, Any]] = {}
        self.known = 0  # offset of the last line read
        if not begins_with(self.file, BEGINNING):
            raise OccupiedError(f"{self.file} is not a record of basam: choose another folder")
        self.update()

    def update(self) -> None:
        """Read lines that any process appended since the last time."""
        for number, offset, line in read_json_lines(self.file, self.known):
            if not isinstance(line, dict) or not isinstance(line.get("photo"), str):
                raise OccupiedError(f"{self.file}, line {number}, is not a record of basam: choose another folder")
            photo = line["photo"]
            if "categories" in line:
                for category in line["categories"]:
                    self.categories.setdefault(category["id"], category)
            if "files" in line:
                self.owners |= dict.fromkeys(line["files"], photo)
                earlier = () if "rows" in line else self.files.get(photo, ())
                self.files[photo] = tuple(dict.fromkeys((*earlier, *line["files"])))
            if "stem" in line:
                self.claim(photo, line.get("name", ""), line["stem"])
            if "rows" in line:
                image_id = line.get("image_id")
                self.last[photo] = Written(line["key"], offset, image_id, bool(line.get("own_id")), "masks" in line)
            self.known = offset

    def claim(self, photo: str, name: str, stem: str) -> None:
        """Reserve name and stem for this photo."""
        self.stems[stem], self.names[name] = photo, photo
        self.stem_of[photo], self.name_of[photo] = stem, name

    def add_categories(self, categories: Iterable[Mapping[str, Any]]) -> None:
        """Record the categories of a user's COCO file whose ids are free."""
        if new := [dict(category) for category in categories if category["id"] not in self.categories]:
            self.append({"photo": "", "categories": new})
            self.update()

    def category_named(self, name: str) -> int | str:
        """The id of a category; a new one is recorded. If two processes record one id, the first wins."""
        while (category := id_of_category(self.categories, name))[1]:
            self.append({"photo": "", "categories": [{"id": category[0], "name": name}]})
            self.update()
        return category[0]

    def append(self, line: dict[str, Any]) -> int:
        """Append a line; returns its offset."""
        return append_json(self.file, line, shared=self.shared)

    def line_of(self, photo: str) -> dict[str, Any]:
        """The last finished line of a photo."""
        return next(self.lines([self.last[photo].offset]))

    def lines(self, offsets: list[int]) -> Iterator[dict[str, Any]]:
        return read_json_at(self.file, offsets)

    def path_of(self, photo: str) -> Path:
        """The present path of a recorded photo, which may have moved together with the folder."""
        return Path(os.path.normpath(self.root / photo))

    def check_writable(self) -> None:
        """Raise if the folder cannot be written to; the message has the system's reason."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot make the output folder {self.file.parent}: {error.strerror}") from error
        try:
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise FileError(f"cannot write to the output folder {self.file.parent}: {error.strerror}") from error
