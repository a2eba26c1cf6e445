"""What is done with one photograph: read, answer its prompts, write masks, an overlay and a record."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.data import PromptRow
from basam.errors import InputError
from basam.families import Attachment
from basam.files import MAX_PIXELS, Photograph, ResultFolder, key_of, overlay, read_photograph, write_image, write_mask
from basam.predict import Focus, Predictor, View, auto_side, check_prompts


@dataclass(frozen=True)
class PhotoTask:
    """A photo and its prompts; none: the whole photo is the box. `stem`: where its results go, see `ResultFolder.stem_of`."""

    photo: Path
    prompts: tuple[PromptRow, ...]
    stem: str


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


@dataclass(frozen=True)
class Answered:
    """Masks `(K, H, W)`, predicted IoU and views of the prompts that were answered, and why others were not."""

    masks: list[NDArray[np.bool_]]
    scores: list[float]
    views: list[View]
    prompts: tuple[PromptRow, ...]
    faults: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class SegmentJob:
    """What is done with every photo.

    Attributes:
        long_side: of the whole photo in pixels; None: its own; `auto`: see `auto_side`.
        square: the whole photo is padded to a square.
        focus: None: where there is a prompt and the photo is larger than trained.
        settings: all that decides the result, for the records.
        overwrite: photos that are done are done again.
        max_pixels: photos of more are refused.
        notes: on the job as a whole.
    """

    predictor: Predictor
    folder: ResultFolder
    long_side: int | str | None = None
    square: bool = False
    focus: bool | None = None
    focus_settings: Focus = field(default_factory=Focus)
    multimask: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    max_pixels: int | None = MAX_PIXELS
    notes: tuple[str, ...] = ()

    def key(self, task: PhotoTask) -> str:
        return key_of({**self.settings, "prompts": [row.told() for row in task.prompts]})

    def finished(self, task: PhotoTask) -> Outcome | None:
        """What an earlier run with the same prompts and settings made of the photo."""
        line = None if self.overwrite else self.folder.finished(task.photo, self.key(task))
        return None if line is None else Outcome(task.photo, line["rows"], faults=tuple(line["left_out"]), before=True)

    def read(self, task: PhotoTask) -> Photograph:
        """The photo; one that is encoded as a whole may be read smaller than it is."""
        regions = self.focus is not False and any(row.box or row.points for row in task.prompts)
        most = self.long_side if isinstance(self.long_side, int) else self.predictor.max_side
        return read_photograph(task.photo, max_pixels=self.max_pixels, long_side=None if regions else most)

    def names(self, task: PhotoTask) -> list[str]:
        """Of the masks, then of the overlay; below the folder."""
        count = len(task.prompts)
        masks = [f"{task.stem}_mask.png"] if count < 2 else [f"{task.stem}_mask_{index}.png" for index in range(count)]
        return [*masks, f"{task.stem}_overlay.jpg"]

    def answer(self, task: PhotoTask, read: Photograph, inputs: Collection[str] = ()) -> Answered:
        """Masks of the photo's prompts. Nothing is written.

        Raises:
            FileExistsError: a result would take the place of what is not this photo's; before the work rather than after it.
            ValueError: no prompt can be answered.
        """
        start = time.perf_counter()
        self.folder.check_free(str(task.photo.resolve()), self.names(task), inputs)
        width, height = read.size
        prompts = task.prompts or (PromptRow(),)
        faults: tuple[str, ...] = ()
        try:
            found = self.answer_all(read, prompts)
        except InputError as error:
            kept, faults = sound(prompts, height, width)
            if not faults:
                raise
            if not kept:
                raise InputError(faults[0]) from error
            prompts, found = kept, self.answer_all(read, kept)
        answers = [found[index] for index in range(len(prompts))]
        seconds = time.perf_counter() - start
        return Answered(
            [each[0] for each in answers],
            [each[1] for each in answers],
            [each[2] for each in answers],
            prompts,
            faults,
            seconds,
        )

    def answer_all(self, read: Photograph, prompts: Sequence[PromptRow]) -> dict[int, tuple[NDArray[np.bool_], float, View]]:
        """Mask, predicted IoU and view of every prompt, by its place."""
        width, height = read.size
        found = {}
        for indices in kinds(prompts):
            rows = [prompts[index] for index in indices]
            focus = self.focus_of(rows, height, width)
            self.predictor.set_image(read, long_side=self.side(focus, height, width), square=self.square)
            masks, scores, _ = self.predictor.predict(
                **arguments(rows, height, width), multimask_output=self.multimask, focus=focus or False
            )
            best = scores.argmax(axis=1)
            for place, index in enumerate(indices):
                found[index] = masks[place, best[place]], float(scores[place, best[place]]), self.predictor.views[place]
        return found

    def focus_of(self, rows: Sequence[PromptRow], height: int, width: int) -> Focus | None:
        """How regions of prompts of one kind are chosen; None: they are answered on the whole photo."""
        trained = self.predictor.attachment.geometry.image_size
        wanted = max(height, width) > trained if self.focus is None else self.focus
        return self.focus_settings if wanted and (rows[0].box or rows[0].points) else None

    def side(self, focus: Focus | None, height: int, width: int) -> int | None:
        """Long side of the whole photo; what `auto` makes smaller is named."""
        geometry = self.predictor.attachment.geometry
        if focus is not None:
            return geometry.image_size
        if self.long_side != "auto":
            return self.long_side if isinstance(self.long_side, int) else None
        side = auto_side(height, width, geometry.image_size, geometry.multiple)
        if side < max(height, width):
            warnings.warn(
                f"the whole of {width} x {height} px is encoded at a long side of {side} px; --long-side native keeps its own, "
                "a box or a point brings its region at the photo's own pixels",
                stacklevel=2,
            )
        return min(side, self.predictor.max_side)

    def write(self, task: PhotoTask, read: Photograph, answered: Answered, inputs: Collection[str] = ()) -> Outcome:
        """Masks, overlay and record of a photo whose prompts were answered."""
        width, height = read.size
        *names, overlay_name = self.names(task)
        places = [index for index, row in enumerate(task.prompts) if row in answered.prompts] or [0]
        names = [names[place] for place in places]
        writers: dict[str, Callable[[Path], None]] = {
            name: partial(write_mask, mask=mask) for name, mask in zip(names, answered.masks, strict=True)
        }
        marks = [point for row in answered.prompts for point in row.points]
        boxes = [row.box for row in answered.prompts if row.box]
        drawn = overlay(read.pixels, np.stack(answered.masks), boxes=boxes, points=marks)
        writers[overlay_name] = partial(write_image, image=drawn)
        rows = [
            {
                "photo": str(task.photo),
                **{name: value for name, value in (("id", row.id), ("category", row.category)) if value is not None},
                "width": width,
                "height": height,
                **told_of_view(self.predictor.attachment, view),
                "seconds": round(answered.seconds, 4),
                "predicted_iou": score,
                "area": float(mask.mean()),
                "mask": str(self.folder.root / name),
                "overlay": str(self.folder.root / overlay_name),
            }
            for row, mask, score, name, view in zip(
                answered.prompts, answered.masks, answered.scores, names, answered.views, strict=True
            )
        ]
        told = {"stem": task.stem, "prompts": [row.told() for row in answered.prompts], "left_out": list(answered.faults)}
        self.folder.write(task.photo, self.key(task), writers, rows, inputs, **told)
        return Outcome(task.photo, rows, faults=answered.faults)


def kinds(prompts: Sequence[PromptRow]) -> Iterator[list[int]]:
    """Places of the prompts that can be asked together: all with a box or none, all with points or none."""
    of_kind: dict[tuple[bool, bool], list[int]] = {}
    for index, row in enumerate(prompts):
        of_kind.setdefault((row.box is not None, bool(row.points)), []).append(index)
    yield from of_kind.values()


def arguments(rows: Sequence[PromptRow], height: int, width: int) -> dict[str, Any]:
    """K prompts of one kind as `Predictor.predict` takes them."""
    prompt: dict[str, Any] = {}
    if rows[0].points:
        prompt["point_coords"] = [[point[:2] for point in row.points] for row in rows]
        prompt["point_labels"] = [[point[2] for point in row.points] for row in rows]
    if rows[0].box is not None or not rows[0].points:
        prompt["box"] = [row.box or (0, 0, width, height) for row in rows]
    return prompt


def sound(prompts: Sequence[PromptRow], height: int, width: int) -> tuple[tuple[PromptRow, ...], tuple[str, ...]]:
    """Prompts that can be asked about an image of height x width px, and what is wrong with the others."""
    kept, faults = [], []
    for row in prompts:
        values = arguments([row], height, width)
        try:
            check_prompts(height, width, None, values.get("point_coords"), values.get("point_labels"), values.get("box"), None)
            kept.append(row)
        except InputError as error:
            faults.append(f"{row.where}: {error}" if row.where else str(error))
    return tuple(kept), tuple(faults)


def told_of_view(attachment: Attachment, view: View) -> dict[str, Any]:
    """What a mask is answered on, and the correction in force there."""
    mode, trained = attachment.mode, attachment.geometry.trained_tokens
    tokens, region = view.tokens(attachment.geometry), view.region
    return {
        "region": None if region is None else [region.left, region.top, region.side],
        "tokens": tokens,
        "tokens_ratio": tokens / trained,
        "lambda": mode.factor(tokens, trained),
        # Logits per patch, before it is spread over heads; None: learned slopes.
        "slope": None if mode.slopes == "learned" else mode.effective_slope(tokens, trained),
    }
