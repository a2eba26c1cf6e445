"""Segmenting photographs without prompts: all masks in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from basam.batch import PhotoTask
from basam.batch.job import PhotoJob, PhotoMasks
from basam.files import Photograph, read_photograph
from basam.masks import MaskResult, cleaned
from basam.predict import AutomaticMasks


def unreported(what: str, done: int, whole: int) -> None:
    """A progress callback that reports nothing."""


@dataclass(frozen=True, kw_only=True)
class EverythingJob(PhotoJob):
    """All masks of a photo.

    Attributes:
        generator: prompts with a grid of points and drops duplicates and poor masks.
        progress: called with what is counted, how many are done, and of how many.
    """

    generator: AutomaticMasks
    progress: Callable[[str, int, int], None] = unreported

    def read(self, task: PhotoTask) -> Photograph:
        return read_photograph(task.photo, max_pixels=self.settings.max_pixels)

    def masks_wanted(self, task: PhotoTask) -> int:
        return 2  # files are numbered from two masks on

    def find(self, task: PhotoTask, read: Photograph) -> PhotoMasks:
        width, height = read.size
        self.generator.long_side = self.side(height, width)
        candidates = self.generator.find(read, progress=partial(self.progress, "points of the photo"))
        masks = (
            MaskResult(one.runs, one.predicted_iou, number, None, one.stability, one.point, one.soft)
            for number, one in enumerate(candidates, start=1)
        )
        return PhotoMasks(cleaned(masks, self.outputs.cleaning), [in_record(self.generator.highest)])

    def side(self, height: int, width: int) -> int | None:
        """Long side that a photo of this size is encoded at; None: native resolution."""
        auto = None if self.generator.pyramid else self.automatic_side(height, width)
        side = auto if self.settings.long_side == "auto" else self.settings.long_side
        return min(side, self.predictor.max_side) if isinstance(side, int) else None

    def rows(self, task: PhotoTask, predicted: PhotoMasks, about: dict[str, Any]) -> list[dict[str, Any]]:
        best = max((mask.predicted_iou for mask in predicted.masks), default=None)
        count = len(predicted.masks)
        return [{**about, "masks": count, "best_iou": best, **predicted.values[0]}]

    def with_paths(self, task: PhotoTask, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        photo = {"photo": str(task.photo)}
        # Results of prompts, which are left as they are, have one row per mask.
        own = [row for row in rows if "masks" in row]
        return [{**photo, **row, "files": self.outputs.paths(task.stem, row["masks"])} for row in own]


def in_record(highest: Sequence[float]) -> dict[str, float | None]:
    """The highest predicted IoU and stability score of all masks, for the records."""
    iou, stability = (None if math.isinf(score) else round(score, 4) for score in highest)
    return {"highest_iou": iou, "highest_stability": stability}
