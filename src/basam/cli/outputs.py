"""Options of `segment` and `everything` that say which files are written, and how masks are cleaned before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from basam.cli.options import split_names

if TYPE_CHECKING:
    from basam.files import ResultFolder
    from basam.masks import Cleaning
    from basam.predict.writers import CocoRun, ResultsOfPhoto

DEFAULT_KINDS = "mask,overlay"

Write = Annotated[
    str,
    typer.Option("--write", metavar="KIND,KIND", help="Of mask, overlay, cutout, coco, labelme, labels, geojson, svg and csv."),
]
Tolerance = Annotated[float, typer.Option(min=0, help="Pixels by which polygons may leave a mask's edge; 0: not at all.")]
MinArea = Annotated[int, typer.Option(min=0, help="Parts of masks of fewer pixels are left out.", show_default="none")]
FillHoles = Annotated[int, typer.Option(min=0, help="Holes of fewer pixels are filled.", show_default="none")]
Largest = Annotated[bool, typer.Option("--largest", help="Of each mask the largest part alone.")]


@dataclass(frozen=True)
class Outputs:
    """What is written of each photo.

    Attributes:
        kinds: of files; see `basam.predict.writers.KINDS`.
        cleaning: of masks, before.
        tolerance: of polygons, in pixels.
        coco: the file of the whole run, where it is wanted.
    """

    kinds: tuple[str, ...]
    cleaning: Cleaning
    tolerance: float
    coco: CocoRun | None

    @classmethod
    def of_options(cls, write: str, cleaning: Cleaning, tolerance: float, folder: Path) -> Outputs:
        """From the command line; errors name the option."""
        from basam.predict.writers import CocoRun, check_kinds

        kinds = check_kinds(split_names("--write", write))
        return cls(kinds, cleaning, tolerance, CocoRun(folder) if "coco" in kinds else None)

    @property
    def settings(self) -> dict[str, Any]:
        """All of it that decides the result, for the records."""
        return {"write": list(self.kinds), "cleaning": vars(self.cleaning), "tolerance": self.tolerance}

    @property
    def soft(self) -> bool:
        """Whether the masks' soft edges are needed."""
        return "cutout" in self.kinds

    def write(
        self, folder: ResultFolder, key: str, results: ResultsOfPhoto, rows: list[dict[str, Any]], inputs: set[Path]
    ) -> None:
        """All files of a photo."""
        from basam.predict.writers import files_of

        writers = files_of(self.kinds, folder.stem_of(results.photo), results)
        # Before the photo is noted as done: a run that is stopped between them does it again, and nothing is missing.
        folder.check_free(str(results.photo.resolve()), writers, inputs)
        if self.coco is not None:
            self.coco.add(results)
        folder.write(results.photo, key, writers, rows, inputs)

    def paths(self, folder: ResultFolder, stem: Path, count: int) -> dict[str, list[str]]:
        """Paths of a photo's files by kind."""
        from basam.predict.writers import names_of

        return {kind: [str(folder.root / name) for name in names] for kind, names in names_of(self.kinds, stem, count).items()}

    def told_of(self, folder: ResultFolder, stem: Path, count: int, index: int) -> dict[str, str]:
        """Paths of the files of one of `count` masks by kind: its own, or that of all of the photo's masks."""
        return {kind: paths[min(index, len(paths) - 1)] for kind, paths in self.paths(folder, stem, count).items()}

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *failure: object) -> None:
        """What is of the whole run is written however it ends, also by Ctrl-C."""
        if self.coco is not None:
            self.coco.write()
