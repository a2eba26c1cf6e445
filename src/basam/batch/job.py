"""A job on one photograph of many: read it, predict masks, write them and a record. Subclasses predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.batch import PhotoTask, ResultFolder, key_of
from basam.batch.settings import PhotoSettings
from basam.batch.writers import Outputs, check_size
from basam.files import Photograph
from basam.masks import MaskResult, PhotoResults
from basam.predict import Predictor, auto_side


@dataclass(frozen=True)
class Outcome:
    """The outcome of one photo: rows of its masks, or why it failed.

    Attributes:
        faults: prompts that were skipped; the others have masks.
        notes: warnings.
        before: done in an earlier run.
    """

    photo: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    before: bool = False


@dataclass
class PhotoMasks:
    """The masks of a photo.

    Attributes:
        masks: at native resolution.
        values: per mask, further columns of its row.
        places: index of every mask's prompt; None: no prompts, or a mask for every prompt.
        faults: why some prompts have no mask.
        seconds: processing time.
    """

    masks: list[MaskResult]
    values: list[dict[str, Any]] = field(default_factory=list)
    places: list[int] | None = None
    faults: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PhotoJob(ABC):
    """A job that is run on every photo.

    Attributes:
        outputs: kinds of files, and their folder.
        about: everything that decides the result, for the records.
        notes: on the job as a whole.
    """

    predictor: Predictor
    outputs: Outputs
    settings: PhotoSettings
    about: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> ResultFolder:
        return self.outputs.folder

    def key(self, task: PhotoTask) -> str:
        return key_of({**self.about, **self.outputs.settings, "prompts": [row.to_dict() for row in task.prompts]})

    def finished(self, task: PhotoTask) -> Outcome | None:
        """The result of an earlier run with the same prompts and settings; for a photo without prompts also of a run with
        prompts, unless `replace`."""
        line = None if self.settings.overwrite else self.folder.finished(task.place, self.key(task))
        notes: tuple[str, ...] = ()
        if line is None and not self.settings.replace and not task.prompts:
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
        """The photo, at native resolution or smaller."""

    def check(self, task: PhotoTask, width: int, height: int, inputs: Collection[str] = ()) -> None:
        """Raise before the work what can be known before it.

        Raises:
            FileExistsError: a result would overwrite a file that is not this photo's.
            ValueError: the photo is too large for a file format.
        """
        self.folder.check_free(task.place, self.outputs.names(task.stem, self.masks_wanted(task)), inputs)
        check_size(self.outputs.kinds, height, width)

    def masks_wanted(self, task: PhotoTask) -> int:
        """How many masks the file names are numbered for, as far as it is known in advance."""
        return max(1, len(task.prompts))

    @abstractmethod
    def find(self, task: PhotoTask, read: Photograph) -> PhotoMasks:
        """Masks of the photo, cleaned.

        Raises:
            ValueError: there is no valid prompt.
        """

    @abstractmethod
    def rows(self, task: PhotoTask, predicted: PhotoMasks, about: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of the photo's masks for the records; `about`: values common to all rows."""

    @abstractmethod
    def with_paths(self, task: PhotoTask, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of the records with current paths of the photo and of its files."""

    def write(self, task: PhotoTask, read: Photograph, predicted: PhotoMasks, inputs: Collection[str] = ()) -> Outcome:
        """Write files and record of a photo."""
        width, height = read.size
        answered_prompts = [task.prompts[place] for place in predicted.places or ()]
        results = PhotoResults(
            task.photo,
            (height, width),
            read.pixels,
            predicted.masks,
            self.outputs.tolerance,
            boxes=[row.box for row in answered_prompts if row.box],
            points=[point for row in answered_prompts for point in row.points],
            places=predicted.places,
            prompts=None if predicted.places is None else self.masks_wanted(task),
            name=task.place.name,
        )
        about = {"width": width, "height": height, "seconds": round(predicted.seconds, 4)}
        rows = self.rows(task, predicted, about)
        ids = {} if task.image_id is None else {"image_id": task.image_id, "own_id": task.own_id}
        more = {"prompts": [row.to_dict() for row in answered_prompts], "left_out": list(predicted.faults), **ids}
        self.outputs.write(task.place, self.key(task), results, rows, inputs, **more)
        return Outcome(task.photo, self.with_paths(task, rows), faults=predicted.faults)

    def automatic_side(self, height: int, width: int) -> int:
        """The long side that `auto` chooses for a photo of this size."""
        geometry = self.predictor.attachment.geometry
        return min(auto_side(height, width, geometry.image_size, geometry.multiple), self.predictor.max_side)
