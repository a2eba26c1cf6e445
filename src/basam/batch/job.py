"""What is done with one photograph of many: read it, find masks, write them and a record; what is found differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.batch import PhotoTask, ResultFolder, key_of
from basam.batch.writers import Outputs, check_size
from basam.files import MAX_PIXELS, Photograph
from basam.masks import MaskResult, PhotoResults
from basam.predict import Predictor, auto_side


@dataclass(frozen=True)
class Outcome:
    """Of one photo: rows of its masks, or why it was left out.

    Attributes:
        faults: prompts that were left out; the others were answered.
        notes: what a user may want to know.
        before: done in an earlier run.
    """

    photo: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    before: bool = False


@dataclass
class Answered:
    """What was found in a photo.

    Attributes:
        masks: at native resolution.
        values: of each of them in the rows, beside what all rows have.
        places: of the masks among the prompts; None: there were no prompts, or each has its mask.
        faults: why some prompts have no mask.
        seconds: that it took.
    """

    masks: list[MaskResult]
    values: list[dict[str, Any]] = field(default_factory=list)
    places: list[int] | None = None
    faults: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PhotoJob(ABC):
    """What is done with every photo.

    Attributes:
        outputs: which files are written, and where.
        long_side: of the whole photo in pixels of the model; None: its own; `auto`: see `auto_side`.
        settings: all that decides the result, for the records.
        overwrite: photos that are done are done again. replace: so are those without prompts whose results are of prompts.
        max_pixels: photos of more are refused.
        notes: on the job as a whole.
    """

    predictor: Predictor
    outputs: Outputs
    long_side: int | str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    replace: bool = False
    max_pixels: int | None = MAX_PIXELS
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> ResultFolder:
        return self.outputs.folder

    def key(self, task: PhotoTask) -> str:
        return key_of({**self.settings, **self.outputs.settings, "prompts": [row.to_dict() for row in task.prompts]})

    def finished(self, task: PhotoTask) -> Outcome | None:
        """What an earlier run with the same prompts and settings made of the photo; of a photo without prompts also what one
        with prompts did, unless `replace`."""
        line = None if self.overwrite else self.folder.finished(task.place, self.key(task))
        notes: tuple[str, ...] = ()
        if line is None and not self.replace and not task.prompts:
            line = self.folder.recorded(task.place)
            if line is None or not line["prompts"]:
                return None
            notes = ("its results are of prompts, and this run has none for it: left as they are; --replace does it again",)
        if line is None:
            return None
        rows = self.with_paths(task, line["rows"])
        return Outcome(task.photo, rows, faults=tuple(line["left_out"]), notes=notes, before=True)

    @abstractmethod
    def read(self, task: PhotoTask) -> Photograph:
        """The photo, at its own size or smaller."""

    def check(self, task: PhotoTask, width: int, height: int, inputs: Collection[str] = ()) -> None:
        """What can be known before the work rather than after it.

        Raises:
            FileExistsError: a result would take the place of what is not this photo's.
            ValueError: the photo is too large for a kind of file.
        """
        self.folder.check_free(task.place, self.outputs.names(task.stem, self.masks_wanted(task)), inputs)
        check_size(self.outputs.kinds, height, width)

    def masks_wanted(self, task: PhotoTask) -> int:
        """How many masks files are numbered for, as far as it is known before."""
        return max(1, len(task.prompts))

    @abstractmethod
    def find(self, task: PhotoTask, read: Photograph) -> Answered:
        """Masks of the photo, cleaned.

        Raises:
            ValueError: no prompt can be answered.
        """

    @abstractmethod
    def rows(self, task: PhotoTask, answered: Answered, about: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of the photo's masks for the records; `about`: what all of them say of the photo."""

    @abstractmethod
    def with_paths(self, task: PhotoTask, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of the records with the paths of the photo and of its files, as they are from here."""

    def write(self, task: PhotoTask, read: Photograph, answered: Answered, inputs: Collection[str] = ()) -> Outcome:
        """Files and record of a photo whose masks were found."""
        width, height = read.size
        answered_prompts = [task.prompts[place] for place in answered.places or ()]
        results = PhotoResults(
            task.photo,
            (height, width),
            read.pixels,
            answered.masks,
            self.outputs.tolerance,
            boxes=[row.box for row in answered_prompts if row.box],
            points=[point for row in answered_prompts for point in row.points],
            places=answered.places,
            prompts=None if answered.places is None else self.masks_wanted(task),
            name=task.place.name,
        )
        about = {"width": width, "height": height, "seconds": round(answered.seconds, 4)}
        rows = self.rows(task, answered, about)
        ids = {} if task.image_id is None else {"image_id": task.image_id, "own_id": task.own_id}
        more = {"prompts": [row.to_dict() for row in answered_prompts], "left_out": list(answered.faults), **ids}
        self.outputs.write(task.place, self.key(task), results, rows, inputs, **more)
        return Outcome(task.photo, self.with_paths(task, rows), faults=answered.faults)

    def automatic_side(self, height: int, width: int) -> int:
        """The long side that `auto` is for a photo of this size."""
        geometry = self.predictor.attachment.geometry
        return min(auto_side(height, width, geometry.image_size, geometry.multiple), self.predictor.max_side)
