"""Whether a file is a result of an earlier run, into whatever folder: it is none of the user's photographs."""

from __future__ import annotations

from pathlib import Path

from basam.files.result_folder import BEGINNING, RECORDS
from basam.files.text import begins_with, read_json_lines


class RecordedResults:
    """The files that records of runs name; the records of each folder are read once."""

    def __init__(self) -> None:
        self.of_folder: dict[Path, frozenset[str]] = {}

    def holds(self, path: Path) -> bool:
        """Whether the records in a folder above `path` name it."""
        whole = path.resolve()
        return any(whole.relative_to(folder).as_posix() in self.files_of(folder) for folder in whole.parents)

    def files_of(self, folder: Path) -> frozenset[str]:
        if folder not in self.of_folder:
            records = folder / RECORDS
            mine = records.is_file() and begins_with(records, BEGINNING)
            lines = (line.value for line in read_json_lines(records)) if mine else iter(())
            found = (line.get("files", ()) for line in lines if isinstance(line, dict))
            self.of_folder[folder] = frozenset(name for names in found for name in names)
        return self.of_folder[folder]
