"""A folder of results that loses nothing: what lies in it already stays, and a run that was stopped resumes.

`records.jsonl` in the folder lists which files were written for which photo, prompts and settings, one JSON object a line:

    {"photo": "/data/a.jpg", "stamp": [183442, 1764201600000000000], "key": "9f...", "files": ["a_mask.png"], "rows": [...]}
    {"photo": "/data/b.jpg", "error": "b.jpg is not an image"}

Before files are written a line names them (`"writing": true`), so that those of a run that was killed are known as its own.
A file that no line names was made by somebody else, and is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.errors import FileError, OccupiedError
from basam.files.text import append_json, read_json_lines

RECORDS = "records.jsonl"


def key_of(settings: dict[str, Any]) -> str:
    """A short name of prompts and settings: the same for equal ones, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def stamp_of(photo: Path) -> list[int]:
    """Size and time of change of a photo: another photo under the same name is another one."""
    stat = photo.stat()
    return [stat.st_size, stat.st_mtime_ns]


@dataclass
class ResultFolder:
    """The folder at `root`, made where it is absent.

    Args:
        root: of the results.
        base: photos below it keep their folders in the names of their results. None: the working directory.

    Raises:
        OSError: it cannot be made or written; the message names it.
    """

    root: Path
    base: Path | None = None
    last: dict[str, dict[str, Any]] = field(default_factory=dict)  # the last finished line of each photo
    owners: dict[str, str] = field(default_factory=dict)  # which photo each file belongs to

    def __post_init__(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot make the output folder {self.root}: {error.strerror}") from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise FileError(f"cannot write to the output folder {self.root}: permission denied")
        for line in self.lines():
            self.owners |= dict.fromkeys(line.get("files", ()), line["photo"])
            if "rows" in line:
                self.last[line["photo"]] = line

    @property
    def records(self) -> Path:
        return self.root / RECORDS

    def lines(self) -> Iterable[dict[str, Any]]:
        """All whole lines; the last one may be cut short where a run was killed.

        Raises:
            FileExistsError: the file holds something else.
        """
        for number, line in read_json_lines(self.records):
            if not isinstance(line, dict) or not isinstance(line.get("photo"), str):
                raise OccupiedError(f"{self.records}, line {number}, is no record of a run: choose another folder")
            yield line

    def append(self, line: dict[str, Any]) -> None:
        append_json(self.records, line)

    def stem_of(self, photo: Path) -> Path:
        """Where results of a photo go, below the folder and without an ending; it depends on the photo alone.

        The photo's folder relative to `root`, to `base` or to the working directory; one that lies below none of them has no
        folder, or that of its parents as far as another photo has the name already. With the photo's ending where its folder
        holds the stem twice.
        """
        path = photo.resolve()
        bases = (self.root.resolve(), *(() if self.base is None else (self.base.resolve(),)), Path.cwd())
        folder = next((path.parent.relative_to(base) for base in bases if path.is_relative_to(base)), None)
        twins = [other for other in path.parent.glob(f"{glob_escaped(path.stem)}.*") if is_photo_like(other)]
        name = path.name if len(twins) > 1 else path.stem
        if folder is not None:
            return folder / name
        parents = path.parent.parts[1:]
        stems = [Path(*parents[len(parents) - depth :], name) for depth in range(len(parents) + 1)]
        return next((stem for stem in stems if not self.taken(stem, str(path))), stems[-1])

    def taken(self, stem: Path, photo: str) -> bool:
        """Whether another photo has files of this name."""
        start = f"{stem.as_posix()}_"
        return any(file.startswith(start) and owner != photo for file, owner in self.owners.items())

    def finished(self, photo: Path, key: str) -> list[dict[str, Any]] | None:
        """The rows of a photo that was done with the same prompts and settings, and whose files are all there."""
        line = self.last.get(str(photo.resolve()))
        if line is None or line["key"] != key or not photo.is_file() or line["stamp"] != stamp_of(photo):
            return None
        return line["rows"] if all((self.root / file).is_file() for file in line["files"]) else None

    def write(
        self,
        photo: Path,
        key: str,
        writers: dict[str, Callable[[Path], None]],
        rows: list[dict[str, Any]],
        inputs: Iterable[Path] = (),
    ) -> None:
        """Write the files of one photo and its line; files of its earlier runs that are not among them go.

        Args:
            writers: what writes each file, by its path below the folder.
            rows: what is told of the photo; plain JSON.
            inputs: resolved paths that are never written to.

        Raises:
            FileExistsError: a file is there that no run wrote, or it is an input; nothing was written.
        """
        name = str(photo.resolve())
        self.check_free(name, writers, inputs)
        earlier = [file for file, owner in self.owners.items() if owner == name]
        if new := [file for file in writers if self.owners.get(file) != name]:
            self.append({"photo": name, "writing": True, "files": new})
        self.owners |= dict.fromkeys(writers, name)
        for file, write in writers.items():
            write(self.root / file)
        for file in earlier:
            if file not in writers:
                (self.root / file).unlink(missing_ok=True)
                del self.owners[file]
        line = {"photo": name, "stamp": stamp_of(photo), "key": key, "files": list(writers), "rows": rows}
        self.append(line)
        self.last[name] = line

    def check_free(self, photo: str, files: Iterable[str], inputs: Iterable[Path]) -> None:
        """Refuse to write over what is not this photo's."""
        known = set(inputs)
        for file in files:
            target = self.root / file
            if target.resolve() in known:
                raise OccupiedError(f"{target} is one of the photos given, and is left as it is: choose another --out")
            owner = self.owners.get(file)
            if owner is not None and owner != photo:
                raise OccupiedError(f"{target} was written for {owner}, and is left as it is: choose another --out")
            if owner is None and target.exists():
                raise OccupiedError(f"{target} was not written by basam, and is left as it is: choose another --out")

    def failed(self, photo: Path, error: str) -> None:
        """Note why a photo was left out."""
        self.append({"photo": str(photo.resolve()), "error": error})


def glob_escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def is_photo_like(path: Path) -> bool:
    """Whether a file may be a photo of its own, by its name; results and sidecars of other programs are none."""
    return path.is_file() and path.suffix.lower() not in SIDECARS and not path.name.startswith(".")


SIDECARS: Sequence[str] = (".json", ".jsonl", ".txt", ".xml", ".csv", ".xmp", ".aae", ".md", ".yaml", ".yml", ".html")
