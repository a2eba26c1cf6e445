"""The files that a run writes per photo and for all photos."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from basam.batch import PhotoPlace, ResultFolder
from basam.batch.writers.choice import files_of, names_of
from basam.batch.writers.coco import COCO_BEGINNING, write_coco
from basam.batch.writers.kinds import RUN_FILES, USUAL_KINDS
from basam.batch.writers.recorded_masks import RecordedRun, recorded_masks
from basam.batch.writers.tables import TABLE_BEGINNING, write_table, write_yolo_data
from basam.errors import OccupiedError
from basam.files import begins_with, locked, require
from basam.masks import TOLERANCE, UNNAMED, Cleaning, MaskResult, PhotoResults


@dataclass(frozen=True)
class Outputs:
    """The outputs of a run in a folder of results.

    Attributes:
        kinds: of files; see `KINDS`. cleaning: of masks, before writing. tolerance: of polygons, in pixels.

    Raises:
        ImportError: masks are to be cleaned, and the extra `outputs` is not installed.
        FileExistsError: another program's file is in the place of a file of the whole run.
    """

    folder: ResultFolder
    kinds: tuple[str, ...] = USUAL_KINDS
    cleaning: Cleaning = field(default_factory=Cleaning)
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        if not self.cleaning.does_nothing:
            require("cv2", "outputs")  # raise before the work, not at the first mask
        for kind in set(self.kinds) & set(RUN_FILES):
            if not self.is_ours(kind):
                file = self.folder.root / RUN_FILES[kind]
                raise OccupiedError(f"{file} was not written by basam, and is left as it is: choose another --out")

    @property
    def run_kinds(self) -> list[str]:
        """Kinds with one file for all photos. An existing file is always updated, so that replaced masks do not stay in it."""
        files = {kind: self.folder.root / file for kind, file in RUN_FILES.items()}
        return [kind for kind, file in files.items() if kind in self.kinds or (file.exists() and self.is_ours(kind))]

    def is_ours(self, kind: str) -> bool:
        """Whether the file of the whole run may be replaced: it is absent, or begins as ours does."""
        beginning = TABLE_BEGINNING if kind == "table" else COCO_BEGINNING
        return begins_with(self.folder.root / RUN_FILES[kind], beginning.encode())

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that decide the result, for the records."""
        return {"write": list(self.kinds), "cleaning": vars(self.cleaning), "tolerance": self.tolerance}

    @property
    def soft(self) -> bool:
        """Whether the masks' soft edges are needed."""
        return "cutout" in self.kinds

    def register(self, labels: Collection[str], categories: Sequence[Mapping[str, Any]] = ()) -> None:
        """Give ids to the categories of a run, in the order of the prompts, so that they do not depend on the order of
        photos."""
        if self.folder.changes and (self.run_kinds or "yolo" in self.kinds):
            self.folder.records.add_categories(categories)
            for label in dict.fromkeys(labels):
                self.folder.records.category_named(label)

    def class_of(self, one: MaskResult) -> int:
        """The YOLO class of a mask: the index of its category in the folder."""
        records = self.folder.records
        identity = one.category_id
        if identity is None or identity not in records.categories:
            identity = records.category_named(one.label or UNNAMED)
        return list(records.categories).index(identity)

    def names(self, stem: str, count: int) -> list[str]:
        """Files of a photo with `count` masks, below the folder."""
        return [name for some in names_of(self.kinds, stem, count).values() for name in some]

    def write(
        self,
        place: PhotoPlace,
        key: str,
        results: PhotoResults,
        rows: list[dict[str, Any]],
        inputs: Collection[str] = (),
        **more: Any,
    ) -> None:
        """Write all files of a photo, and its record; arguments: see `ResultFolder.write`."""
        writers = files_of(self.kinds, place.stem, results, self.class_of)
        kinds = self.run_kinds
        masks = recorded_masks(results, polygons="coco-polygons" in kinds) if kinds else {}
        self.folder.write(place, key, writers, rows, inputs, **more, **masks)

    def paths(
        self, stem: str, count: int, places: Sequence[int] | None = None, empty: Collection[int] = ()
    ) -> dict[str, list[str]]:
        """Paths of a photo's files by kind; arguments: see `names_of`."""
        names = names_of(self.kinds, stem, count, places, empty)
        return {kind: [str(self.folder.root / name) for name in some] for kind, some in names.items() if some}

    def finish(self) -> None:
        """Write the files of the whole run, from the records of all processes that wrote to the folder."""
        records = self.folder.records
        if not self.run_kinds and "yolo" not in self.kinds:
            return
        with records.file.open("a+b") as file, locked(file, records.file, needed=self.folder.shared):
            records.update()
            run = RecordedRun([records])
            for kind in self.run_kinds:
                target = self.folder.root / RUN_FILES[kind]
                if kind == "table":
                    write_table(target, run)
                else:
                    write_coco(target, run, polygons=kind == "coco-polygons")
            if "yolo" in self.kinds:
                write_yolo_data(self.folder.root / "data.yaml", records.categories.values())
