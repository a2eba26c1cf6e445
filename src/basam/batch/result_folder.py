"""A folder of results that loses nothing: what lies in it already stays, and a run that was stopped resumes.

`records.jsonl` in the folder lists which files were written for which photo, prompts and settings, one JSON object a line:

    {"photo": "/data/a.jpg", "stem": "a", "stamp": [183442, 1764201600000000000], "key": "9f...", "files": ["a_mask.png"],
     "rows": [...]}
    {"photo": "/data/b.jpg", "error": "b.jpg is not an image"}

Before files are written a line names them (`"writing": true`), so that those of a run that was killed are known as its own.
A file that no line names was made by somebody else, and is never overwritten. Several processes may write to one folder, each
its own photos: lines are appended under a lock, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from basam.errors import FileError, OccupiedError
from basam.files import append_json, begins_with, read_json_at, read_json_lines

RECORDS = "records.jsonl"
BEGINNING = b'{"photo":'  # of its lines


def key_of(settings: dict[str, Any]) -> str:
    """A short name of prompts and settings: the same for equal ones, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def stamp_of(photo: Path) -> list[int]:
    """Size and time of change of a photo: another photo under the same name is another one."""
    stat = photo.stat()
    return [stat.st_size, stat.st_mtime_ns]


class Written(NamedTuple):
    """Where in the records the last finished line of a photo begins, and its key: lines of a million photos fill memory."""

    key: str
    offset: int


@dataclass
class ResultFolder:
    """The folder at `root`, made where it is absent.

    Args:
        root: of the results.
        base: photos below it keep their folders in the names of their results. None: the working directory.
        shared: other processes write to it at the same time: a file system without locks is then refused.
        changes: False: nothing is made or written, what is there is looked at only.

    Raises:
        OSError: it cannot be made or written; the message names it.
    """

    root: Path
    base: Path | None = None
    shared: bool = False
    changes: bool = True
    last: dict[str, Written] = field(default_factory=dict)  # of each photo
    owners: dict[str, str] = field(default_factory=dict)  # which photo each file belongs to
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of each photo
    stems: dict[str, str] = field(default_factory=dict)  # which photo has each name
    listings: dict[Path, Counter[str]] = field(default_factory=dict, repr=False)
    known: int = 0  # where in the records the last line begins that was taken in

    def __post_init__(self) -> None:
        self.whole_root = self.root.resolve()
        if self.changes:
            try:
                self.root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise FileError(f"cannot make the output folder {self.root}: {error.strerror}") from error
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise FileError(f"cannot write to the output folder {self.root}: permission denied")
        if not begins_with(self.records, BEGINNING):
            raise OccupiedError(f"{self.records} is no record of a run: choose another folder")
        self.take_in()

    @property
    def records(self) -> Path:
        return self.root / RECORDS

    def take_in(self) -> None:
        """Learn what was recorded since the last time, by whatever process.

        Raises:
            FileExistsError: the file holds something else.
        """
        for number, offset, line in read_json_lines(self.records, self.known):
            if not isinstance(line, dict) or not isinstance(line.get("photo"), str):
                raise OccupiedError(f"{self.records}, line {number}, is no record of a run: choose another folder")
            photo = line["photo"]
            if "files" in line:
                self.owners |= dict.fromkeys(line["files"], photo)
                earlier = () if "rows" in line else self.files.get(photo, ())
                self.files[photo] = tuple(dict.fromkeys((*earlier, *line["files"])))
            if "stem" in line:
                self.stems[line["stem"]] = photo
            if "rows" in line:
                self.last[photo] = Written(line["key"], offset)
            self.known = offset

    def append(self, line: dict[str, Any]) -> int:
        """Add a line; returns where it begins."""
        return append_json(self.records, line, shared=self.shared)

    def stem_of(self, photo: Path) -> str:
        """Where results of a photo go, below the folder and without an ending; the name is then this photo's.

        The photo's folder relative to `root`, to `base` or to the working directory; one that lies below none of them has no
        folder, or that of its parents as far as another photo has the name already. With the photo's ending where its folder
        holds the stem twice. Processes that share a folder pass the photos of all of them in the same order.
        """
        path = photo.resolve()
        bases = (self.whole_root, *(() if self.base is None else (self.base.resolve(),)), Path.cwd())
        folder = next((path.parent.relative_to(base) for base in bases if path.is_relative_to(base)), None)
        name = path.name if self.listing(path.parent)[path.stem] > 1 else path.stem
        parents = path.parent.parts[1:]
        places = [folder] if folder is not None else [Path(*parents[len(parents) - n :]) for n in range(len(parents) + 1)]
        stems = [(place / name).as_posix() for place in places]
        stem = next((stem for stem in stems if self.stems.get(stem, str(path)) == str(path)), stems[-1])
        self.stems[stem] = str(path)
        return stem

    def listing(self, folder: Path) -> Counter[str]:
        """How many photos of a folder begin with a name and a dot; read once, since a folder may hold a million."""
        if folder not in self.listings:
            counts: Counter[str] = Counter()
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    for parts in (entry.name.split(".") for entry in entries if is_photo_like(entry)):
                        counts.update(".".join(parts[:count]) for count in range(1, len(parts)))
            self.listings[folder] = counts
        return self.listings[folder]

    def finished(self, photo: Path, key: str) -> dict[str, Any] | None:
        """The line of a photo that was done with the same prompts and settings, and whose files are all there."""
        found = self.last.get(str(photo.resolve()))
        if found is None or found.key != key or not photo.is_file():
            return None
        line: dict[str, Any] = next(read_json_at(self.records, [found.offset]))
        if line["stamp"] != stamp_of(photo) or not all((self.root / name).is_file() for name in line["files"]):
            return None
        return line

    def write(
        self,
        photo: Path,
        key: str,
        writers: dict[str, Callable[[Path], None]],
        rows: list[dict[str, Any]],
        inputs: Collection[str] = (),
        **more: Any,
    ) -> None:
        """Write the files of one photo and its line; files of its earlier runs that are not among them go.

        Args:
            writers: what writes each file, by its path below the folder.
            rows: of the photo in the records; plain JSON.
            inputs: resolved paths that are never written to.
            more: further fields of the line; plain JSON.

        Raises:
            FileExistsError: a file is there that no run wrote, or it is an input; nothing was written.
        """
        name = str(photo.resolve())
        self.check_free(name, writers, inputs)
        earlier = self.files.get(name, ())
        if new := [file for file in writers if self.owners.get(file) != name]:
            self.append({"photo": name, "writing": True, "files": new})
        self.owners |= dict.fromkeys(writers, name)
        for file, write in writers.items():
            write(self.root / file)
        for file in earlier:
            if file not in writers and self.owners.get(file) == name:
                (self.root / file).unlink(missing_ok=True)
                del self.owners[file]
        self.files[name] = tuple(writers)
        line = {"photo": name, "stamp": stamp_of(photo), "key": key, "files": list(writers), "rows": rows, **more}
        self.last[name] = Written(key, self.append(line))

    def check_free(self, photo: str, files: Iterable[str], inputs: Collection[str]) -> None:
        """Refuse to write over what is not this photo's."""
        for file in files:
            target = self.root / file
            if str(self.whole_root / file) in inputs:
                raise OccupiedError(f"{target} is one of the photos given, and is left as it is: choose another --out")
            if file not in self.owners and target.exists():
                self.take_in()  # another process may have written it since
            owner = self.owners.get(file)
            if owner is not None and owner != photo:
                raise OccupiedError(f"{target} was written for {owner}, and is left as it is: choose another --out")
            if owner is None and target.exists():
                raise OccupiedError(f"{target} was not written by basam, and is left as it is: choose another --out")

    def failed(self, photo: Path, error: str) -> None:
        """Note why a photo was left out."""
        self.append({"photo": str(photo.resolve()), "error": error})


def is_photo_like(entry: os.DirEntry[str]) -> bool:
    """Whether a file may be a photo of its own, by its name; results and sidecars of other programs are none."""
    return entry.is_file() and os.path.splitext(entry.name)[1].lower() not in SIDECARS and not entry.name.startswith(".")


SIDECARS: Sequence[str] = (".json", ".jsonl", ".txt", ".xml", ".csv", ".xmp", ".aae", ".md", ".yaml", ".yml", ".html")
