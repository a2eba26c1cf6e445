"""The work behind `basam segment`: one photo after the other, the files that are written and what is told of them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.cli.console import Bars, note, reason
from basam.cli.outputs import Outputs
from basam.errors import BasamError
from basam.families import Attachment
from basam.files import MAX_PIXELS, Photograph, ResultFolder, key_of, read_photograph
from basam.masks import RunMask, SoftMask, reach_in
from basam.predict import Focus, Predictor, View, auto_side
from basam.predict.writers import Found, ResultsOfPhoto, check_size, cleaned, names_of


@dataclass(frozen=True)
class SegmentJob:
    """What is done with every photo.

    Attributes:
        points: x, y and perhaps a label; boxes: x0, y0, x1, y1. Without any the whole photo is the box.
        long_side: of the whole photo in pixels; None: its own; `auto`: see `auto_side`.
        square: the whole photo is padded to a square.
        focus: None: where there is a box and the photo is larger than trained.
        settings: all that decides the result, for the records.
        overwrite: photos that are done are done again.
        max_pixels: photos of more are refused.
    """

    predictor: Predictor
    folder: ResultFolder
    outputs: Outputs
    points: list[list[float]] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    long_side: int | str | None = None
    square: bool = False
    focus: bool | None = None
    focus_settings: Focus = field(default_factory=Focus)
    multimask: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    max_pixels: int | None = MAX_PIXELS

    @property
    def key(self) -> str:
        return key_of({**self.settings, **self.outputs.settings, "points": self.points, "boxes": self.boxes})


@dataclass(frozen=True)
class Outcome:
    """Of one photo: rows of its masks, or why it was left out; `before`: done in an earlier run."""

    photo: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    before: bool = False


def run(job: SegmentJob, photos: list[Path], *, quiet: bool = False) -> Iterator[Outcome]:
    """What became of each photo, as it comes."""
    inputs = {photo.resolve() for photo in photos}
    with Bars("photos", shown=len(photos) > 1 and not quiet) as bars:
        for done, photo in enumerate(photos, start=1):
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", UserWarning)
                    outcome = one_photo(job, photo, inputs)
                for warning in caught if not quiet else ():
                    note(f"note: {photo}: {warning.message}")
            except (BasamError, OSError, MemoryError, RuntimeError) as error:
                line = reason(error)
                if line is None:
                    raise
                job.folder.failed(photo, line)
                outcome = Outcome(photo, error=line)
            yield outcome
            bars.show("photos", done, len(photos))


def one_photo(job: SegmentJob, photo: Path, inputs: set[Path]) -> Outcome:
    """Masks and an overlay of one photo. Nothing is written unless every prompt was answered."""
    start = time.perf_counter()
    before = None if job.overwrite else job.folder.finished(photo, job.key)
    if before is not None:
        return Outcome(photo, before, before=True)
    with_region = bool(job.points or job.boxes) if job.focus else job.focus is None and bool(job.boxes)
    whole = with_region or job.outputs.soft  # cut-outs have the photo's own pixels
    read = read_photograph(photo, max_pixels=job.max_pixels, long_side=None if whole else most_needed(job))
    for each in read.notes:
        warnings.warn(str(each), stacklevel=2)
    stem = job.folder.stem_of(photo)
    names = names_of(job.outputs.kinds, stem, max(1, len(job.boxes)))
    # Before the work rather than after it.
    job.folder.check_free(str(photo.resolve()), [name for some in names.values() for name in some], inputs)
    check_size(job.outputs.kinds, read.size[1], read.size[0])
    found = found_in(job, read)
    seconds, objects = time.perf_counter() - start, job.predictor.object_scores
    results = ResultsOfPhoto(photo, read.size[::-1], read.pixels, found, job.outputs.tolerance, job.boxes, job.points)
    rows = [
        {
            "photo": str(photo),
            "width": read.size[0],
            "height": read.size[1],
            **told_of_view(job.predictor.attachment, view),
            "seconds": round(seconds, 4),
            "predicted_iou": one.score,
            "object_score": None if objects is None else float(objects[index]),
            "area": one.runs.area / (read.size[0] * read.size[1]),
            **job.outputs.told_of(job.folder, stem, len(found), index),
        }
        for index, (one, view) in enumerate(zip(found, job.predictor.views, strict=True))
    ]
    job.outputs.write(job.folder, job.key, results, rows, inputs)
    return Outcome(photo, rows)


def most_needed(job: SegmentJob) -> int:
    """The largest long side that a photo is encoded at as a whole: a larger one may be read smaller."""
    return job.long_side if isinstance(job.long_side, int) else job.predictor.max_side


def found_in(job: SegmentJob, read: Photograph) -> list[Found]:
    """Masks of the job's prompts, cleaned; one of which nothing is left stays, as an empty one."""
    masks, scores = answer(job, read)
    point = (job.points[0][0], job.points[0][1]) if len(job.points) == 1 else None
    found = []
    for index, (mask, score) in enumerate(zip(masks, scores, strict=True)):
        soft = None
        if job.outputs.soft:
            logits = mask - job.predictor.mask_threshold
            soft, mask = SoftMask.of_logits(logits, reach_in(*logits.shape)), logits > 0
        found.append(Found(RunMask.of(mask), float(score), index + 1, point=point, soft=soft))
    return cleaned(found, job.outputs.cleaning, keep_empty=True)


def answer(job: SegmentJob, read: Photograph) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Masks `(K, H, W)`, or their logits where soft edges are wanted, and predicted IoU `(K,)` of the job's prompts."""
    width, height = read.size
    predictor = job.predictor
    trained = predictor.attachment.geometry.image_size
    # By default for boxes only: docs/results/focus.md.
    focus = (bool(job.boxes) and max(height, width) > trained) if job.focus is None else job.focus
    focused = focus and bool(job.points or job.boxes)
    predictor.set_image(read, long_side=trained if focused else long_side(job, height, width), square=job.square)
    prompt: dict[str, Any] = {}
    if job.points:
        prompt["point_coords"] = [values[:2] for values in job.points]
        prompt["point_labels"] = [values[2] if len(values) == 3 else 1 for values in job.points]
    if job.boxes or not job.points:
        prompt["box"] = job.boxes or [[0, 0, width, height]]
        if job.points:
            prompt = {name: [value] if name != "box" else value for name, value in prompt.items()}
    masks, scores, _ = predictor.predict(
        **prompt,
        multimask_output=job.multimask,
        return_logits=job.outputs.soft,
        focus=job.focus_settings if focused else False,
    )
    masks, scores = masks.reshape(-1, scores.shape[-1], height, width), scores.reshape(-1, scores.shape[-1])
    best = scores.argmax(axis=1)
    each = np.arange(len(masks))
    return masks[each, best], scores[each, best]


def long_side(job: SegmentJob, height: int, width: int) -> int | None:
    """That of the whole photo; what `auto` makes smaller is named."""
    if job.long_side != "auto":
        return job.long_side if isinstance(job.long_side, int) else None
    geometry = job.predictor.attachment.geometry
    side = auto_side(height, width, geometry.image_size, geometry.multiple)
    if side < max(height, width):
        warnings.warn(
            f"the whole of {width} x {height} px is encoded at a long side of {side} px; --long-side native keeps its own, a "
            "box or a point brings its region at the photo's own pixels",
            stacklevel=2,
        )
    return min(side, job.predictor.max_side)


def told_of_view(attachment: Attachment, view: View) -> dict[str, Any]:
    """What a mask was answered on, and the correction in force there."""
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
