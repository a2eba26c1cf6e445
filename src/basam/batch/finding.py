"""Photographs without prompts: masks of everything in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from basam.batch import PhotoTask
from basam.batch.job import Answered, PhotoJob
from basam.files import Photograph, read_photograph
from basam.masks import MaskResult, cleaned
from basam.predict import AutomaticMasks


def unreported(what: str, done: int, whole: int) -> None:
    """Progress within a photo is not reported."""


@dataclass(frozen=True, kw_only=True)
class EverythingJob(PhotoJob):
    """Masks of everything.

    Attributes:
        generator: makes masks of a grid of points, and keeps the best.
        progress: called with what is counted, how many were done, and of how many.
    """

    generator: AutomaticMasks
    progress: Callable[[str, int, int], None] = unreported

    def read(self, task: PhotoTask) -> Photograph:
        return read_photograph(task.photo, max_pixels=self.max_pixels)

    def masks_wanted(self, task: PhotoTask) -> int:
        return 2  # of masks that are numbered, the first ones

    def find(self, task: PhotoTask, read: Photograph) -> Answered:
        width, height = read.size
        self.generator.long_side = self.side(height, width)
        candidates = self.generator.find(read, progress=partial(self.progress, "points of the photo"))
        found = (
            MaskResult(each.runs, each.predicted_iou, number, None, each.stability, each.point, each.soft)
            for number, each in enumerate(candidates, start=1)
        )
        return Answered(cleaned(found, self.outputs.cleaning), [in_record(self.generator.highest)])

    def side(self, height: int, width: int) -> int | None:
        """Long side that a photo of this size is encoded at; None: its own."""
        auto = None if self.generator.pyramid else self.automatic_side(height, width)
        side = auto if self.long_side == "auto" else self.long_side
        return min(side, self.predictor.max_side) if isinstance(side, int) else None

    def rows(self, task: PhotoTask, answered: Answered, about: dict[str, Any]) -> list[dict[str, Any]]:
        best = max((each.predicted_iou for each in answered.masks), default=None)
        count = len(answered.masks)
        return [{**about, "masks": count, "best_iou": best, **answered.values[0]}]

    def with_paths(self, task: PhotoTask, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        photo = {"photo": str(task.photo)}
        # Results of prompts, which are left as they are, have rows of masks.
        own = [row for row in rows if "masks" in row]
        return [{**photo, **row, "files": self.outputs.paths(task.stem, row["masks"])} for row in own]


def in_record(highest: Sequence[float]) -> dict[str, float | None]:
    """The highest predicted IoU and stability of all masks, as records have them."""
    iou, stability = (None if math.isinf(each) else round(each, 4) for each in highest)
    return {"highest_iou": iou, "highest_stability": stability}
