"""A folder of results: existing files stay, and an interrupted run resumes.

Files that are not in the records belong to the user and are never overwritten.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.batch.records import Records, Written, is_unchanged, stamp_of
from basam.errors import OccupiedError
from basam.files import IMAGE_SUFFIXES

# Bytes of a file name that leave 17 of 255 for the longest suffix, `_polygons.geojson`.
LONGEST_STEM = 238


@dataclass(frozen=True)
class PhotoPlace:
    """A photo and its names in a folder of results.

    Attributes:
        photo: its path as given.
        identity: in the records, see `records`; `name`: in outputs, a path relative to the given folder.
        stem: of its files, relative to the folder of results.
    """

    photo: Path
    identity: str
    name: str
    stem: str


@dataclass
class ResultFolder:
    """The folder at `root`, created if absent.

    Args:
        root: of the results.
        shared: other processes write to it at the same time.
        changes: False: nothing is created or written.

    Raises:
        OSError: it cannot be created or written; the message names it and the system's reason.
        FileExistsError: its records are another program's.
    """

    root: Path
    shared: bool = False
    changes: bool = True
    given: dict[str, str] = field(default_factory=dict)  # path of the photo per identity, in this run
    listings: dict[Path, Counter[str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.records = Records(self.root, shared=self.shared)
        self.whole_root = self.records.root
        if self.changes:
            self.records.check_writable()

    def place_of(self, photo: Path, name: str | None = None) -> PhotoPlace:
        """Reserve names for a photo. Processes that share a folder must pass the photos of all of them in the same order. Names
        do not depend on what links point to.

        Args:
            name: its path relative to the given folder, or its name in a file of prompts; None: its file name.
        """
        path = Path(os.path.abspath(photo))
        names = list(longer_names(path, name or path.name))
        identity = self.identity_of(path, names)
        self.given[identity] = str(path)
        stem = self.records.stem_of.get(identity) or free(self.records.stems, self.stems(path, names), identity)
        name = self.records.name_of.get(identity) or free(self.records.names, names, identity)
        self.records.claim(identity, name, stem)
        return PhotoPlace(photo, identity, name, stem)

    def identity_of(self, path: Path, names: list[str]) -> str:
        """The path relative to this folder; if photos were moved away from it, that of the record of the same name and content
        whose own photo no longer exists."""
        try:
            own = Path(os.path.relpath(path, self.whole_root)).as_posix()
        except ValueError:  # another drive
            own = path.as_posix()
        records = self.records
        if own in records.last:
            return own
        for other in (records.names[name] for name in names if name in records.names):
            free_to_take = other in records.last and self.given.get(other, str(path)) == str(path)
            if free_to_take and not records.path_of(other).exists() and is_unchanged(path, records.line_of(other)["stamp"]):
                return other
        return own

    def stems(self, path: Path, names: list[str]) -> list[str]:
        """Candidates for the stem: the photo's folder below that of the results or the working directory, else that of its
        name; with the photo's suffix if several photos of its folder have the stem."""
        name = shortened(path.name if self.listing(path.parent)[path.stem] > 1 else path.stem)
        bases = self.whole_root, Path.cwd()
        folder = next((path.parent.relative_to(base) for base in bases if path.is_relative_to(base)), None)
        folders = [folder_in(candidate) for candidate in names] if folder is None else [folder]
        return [(parent / name).as_posix() for parent in folders] + [(folders[-1] / shortened(path.name)).as_posix()]

    def listing(self, folder: Path) -> Counter[str]:
        """The number of photos per stem in a folder; read once, because a folder may hold a million."""
        if folder not in self.listings:
            counts: Counter[str] = Counter()
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    parts = (os.path.splitext(entry.name) for entry in entries)
                    counts.update(stem for stem, suffix in parts if suffix.lower() in IMAGE_SUFFIXES)
            self.listings[folder] = counts
        return self.listings[folder]

    def image_ids(self, places: Sequence[PhotoPlace], own: Mapping[Path, int | str]) -> list[int | str]:
        """COCO ids of the images of a run. Every process of a run must pass all of its photos, in the same order.

        A photo keeps the user's id, or the id of an earlier run. Others get their index in the list or, if that is taken, one a
        multiple of a round number above: so processes that begin at different times agree.

        Args:
            own: ids of the user's COCO file.
        """
        last = self.records.last
        known = {photo: written.image_id for photo, written in last.items() if written.image_id is not None}
        known |= {place.identity: own[place.photo] for place in places if place.photo in own}
        taken, stride = set(known.values()), 10 ** len(str(len(places)))
        for number, place in enumerate(places, start=1):
            if place.identity not in known:
                while number in taken:
                    number += stride
                known[place.identity] = number
                taken.add(number)
        return [known[place.identity] for place in places]

    def recorded(self, place: PhotoPlace) -> dict[str, Any] | None:
        """The last finished line of a photo that is unchanged and whose files all exist."""
        if place.identity not in self.records.last:
            return None
        line = self.records.line_of(place.identity)
        complete = all((self.root / name).is_file() for name in line["files"])
        return line if complete and is_unchanged(place.photo, line["stamp"]) else None

    def finished(self, place: PhotoPlace, key: str) -> dict[str, Any] | None:
        """The line of a photo that was done with the same prompts and settings."""
        written = self.records.last.get(place.identity)
        return self.recorded(place) if written is not None and written.key == key else None

    def write(
        self,
        place: PhotoPlace,
        key: str,
        writers: dict[str, Callable[[Path], None]],
        rows: list[dict[str, Any]],
        inputs: Collection[str] = (),
        **more: Any,
    ) -> None:
        """Write the files of one photo and its line; delete files of its earlier runs that are not among them.

        Args:
            writers: a function per file, by its path below the folder.
            rows: of the photo in the records; plain JSON.
            inputs: paths that are never written to.
            more: further fields of the line; plain JSON.

        Raises:
            FileExistsError: a file exists that no run wrote, or it is an input; nothing was written.
        """
        photo, records = place.identity, self.records
        self.check_free(place, writers, inputs)
        earlier = records.files.get(photo, ())
        if new := [file for file in writers if records.owners.get(file) != photo]:
            records.append({"photo": photo, "writing": True, "files": new})
        records.owners |= dict.fromkeys(writers, photo)
        for file, write in writers.items():
            write(self.root / file)
        for file in earlier:
            if file not in writers and records.owners.get(file) == photo:
                (self.root / file).unlink(missing_ok=True)
                del records.owners[file]
        records.files[photo] = tuple(writers)
        line = {"photo": photo, "name": place.name, "stem": place.stem, "stamp": stamp_of(place.photo), "key": key}
        offset = records.append({**line, "files": list(writers), "rows": rows, **more})
        image_id, own_id = more.get("image_id"), bool(more.get("own_id"))
        records.last[photo] = Written(key, offset, image_id, own_id, "masks" in more)

    def check_free(self, place: PhotoPlace, files: Iterable[str], inputs: Collection[str]) -> None:
        """Raise if a file is not this photo's."""
        owners = self.records.owners
        for file in files:
            target = self.root / file
            if str(self.whole_root / file) in inputs:
                raise OccupiedError(f"{target} is one of the photos given, and is left as it is: choose another --out")
            if file not in owners and target.exists():
                self.records.update()  # another process may have written it since
            owner = owners.get(file)
            if owner is not None and owner != place.identity:
                whose = self.records.path_of(owner)
                raise OccupiedError(f"{target} was written for {whose}, and is left as it is: choose another --out")
            if owner is None and target.exists():
                raise OccupiedError(f"{target} was not written by basam, and is left as it is: choose another --out")

    def failed(self, place: PhotoPlace, error: str) -> None:
        """Record why a photo failed."""
        self.records.append({"photo": place.identity, "error": error})


def free(owners: dict[str, str], wanted: list[str], photo: str) -> str:
    """The first name that no other photo has; if all are taken, the last one."""
    return next((name for name in wanted if owners.get(name, photo) == photo), wanted[-1])


def longer_names(path: Path, name: str) -> Iterator[str]:
    """The name, and then the path with more and more of its folders."""
    yield name
    parts, count = path.parts[1:], len(Path(name).parts)
    yield from (Path(*parts[-length:]).as_posix() for length in range(count + 1, len(parts) + 1))


def folder_in(name: str) -> Path:
    """The folder of a name, never above or outside of the folder that it is put into."""
    return Path(*(part for part in Path(name).parts[:-1] if part not in ("..", Path(name).anchor)))


def shortened(name: str) -> str:
    """A name short enough for a suffix; a longer one ends in a hash."""
    data = os.fsencode(name)
    if len(data) <= LONGEST_STEM:
        return name
    start = data[: LONGEST_STEM - 9].decode("utf-8", "ignore")
    return f"{start}-{hashlib.sha256(data).hexdigest()[:8]}"
