"""Whether a file is a result of an earlier run, in whatever folder, and thus not one of the user's photographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from basam.batch.records import BEGINNING, RECORDS
from basam.files import begins_with, read_json_lines


class RecordedResults:
    """The files named in the records of runs; the records of a folder are read once."""

    def __init__(self) -> None:
        self.of_folder: dict[Path, frozenset[str]] = {}

    def holds(self, path: Path) -> bool:
        """Whether the records in a folder above `path` name it."""
        whole = path.parent.resolve() / path.name  # links are not resolved
        return any(whole.relative_to(folder).as_posix() in self.files_of(folder) for folder in whole.parents)

    def files_of(self, folder: Path) -> frozenset[str]:
        if folder not in self.of_folder:
            self.of_folder[folder] = frozenset(names_in(folder / RECORDS))
        return self.of_folder[folder]


def names_in(records: Path) -> Iterator[str]:
    """The files that a run recorded; none if the file is not a record."""
    if records.is_file() and begins_with(records, BEGINNING):
        for _, _, line in read_json_lines(records):
            if isinstance(line, dict):
                yield from line.get("files", ())
