"""Which files a run writes of each photo, and one for all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.batch import ResultFolder
from basam.batch.writers.choice import files_of, names_of
from basam.batch.writers.coco_run import CocoRun
from basam.batch.writers.kinds import USUAL_KINDS
from basam.files import require
from basam.masks import TOLERANCE, Cleaning, PhotoResults


@dataclass(frozen=True)
class Outputs:
    """What is written of each photo to a folder.

    Attributes:
        folder: of results.
        kinds: of files; see `KINDS`.
        cleaning: of masks, before.
        tolerance: of polygons, in pixels.
        coco: the file of the whole run, where it is wanted or there already.
    """

    folder: ResultFolder
    kinds: tuple[str, ...] = USUAL_KINDS
    cleaning: Cleaning = field(default_factory=Cleaning)
    tolerance: float = TOLERANCE
    coco: CocoRun | None = None

    @classmethod
    def of(cls, folder: ResultFolder, kinds: tuple[str, ...], cleaning: Cleaning, tolerance: float) -> Outputs:
        """Those of a run.

        Raises:
            ImportError: masks are to be cleaned, and the extra `outputs` is not installed.
        """
        if not cleaning.does_nothing:
            require("cv2", "outputs")  # before the work: it cleans the first mask
        # A folder that has the file keeps it true: masks that are replaced do not stay in it.
        wanted = "coco" in kinds or (folder.root / "coco.jsonl").exists()
        coco = CocoRun(folder.root, shared=folder.shared) if wanted else None
        return cls(folder, kinds, cleaning, tolerance, coco)

    @property
    def settings(self) -> dict[str, Any]:
        """All of it that decides the result, for the records."""
        return {"write": list(self.kinds), "cleaning": vars(self.cleaning), "tolerance": self.tolerance}

    @property
    def soft(self) -> bool:
        """Whether the masks' soft edges are needed."""
        return "cutout" in self.kinds

    def numbers(self, photos: Sequence[Path]) -> list[int | None]:
        """Numbers of the photos of a run in the file of all of them; see `CocoRun.number`."""
        return [None] * len(photos) if self.coco is None else list(self.coco.number(photos))

    def has(self, photo: Path) -> bool:
        """Whether what is of all photos holds this one, as far as that is wanted: its file may have been removed since."""
        return self.coco is None or "coco" not in self.kinds or str(photo.resolve()) in self.coco.noted

    def names(self, stem: str, count: int) -> list[str]:
        """Files of a photo with so many masks, below the folder."""
        return [name for some in names_of(self.kinds, stem, count).values() for name in some]

    def write(
        self,
        stem: str,
        number: int | None,
        key: str,
        results: PhotoResults,
        rows: list[dict[str, Any]],
        inputs: Collection[str] = (),
        **more: Any,
    ) -> None:
        """All files of a photo, and its record.

        Args:
            stem: see `ResultFolder.stem_of`; number: see `numbers`.
            key, rows, inputs, more: as of `ResultFolder.write`.
        """
        writers = files_of(self.kinds, stem, results)
        # Before the photo is noted as done: a run that is stopped between them does it again, and nothing is missing.
        self.folder.check_free(str(results.photo.resolve()), writers, inputs)
        if self.coco is not None:
            self.coco.add(results, number)
        self.folder.write(results.photo, key, writers, rows, inputs, stem=stem, **more)

    def paths(self, stem: str, count: int) -> dict[str, list[str]]:
        """Paths of a photo's files by kind."""
        names = names_of(self.kinds, stem, count)
        return {kind: [str(self.folder.root / name) for name in some] for kind, some in names.items()}

    def paths_of(self, stem: str, count: int, place: int) -> dict[str, str]:
        """Paths of the files of one of `count` masks by kind: its own, or that of all of the photo's masks."""
        return {kind: some[min(place, len(some) - 1)] for kind, some in self.paths(stem, count).items()}

    def finish(self) -> None:
        """Write what is of the whole run."""
        if self.coco is not None:
            self.coco.write()
