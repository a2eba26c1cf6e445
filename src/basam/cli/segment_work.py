"""The work behind `basam segment`: one photo after the other, the files that are written and what is told of them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.cli.console import Bars, note, reason
from basam.errors import BasamError
from basam.families import Attachment
from basam.files import MAX_PIXELS, Photograph, ResultFolder, key_of, overlay, read_photograph, write_image, write_mask
from basam.predict import Focus, Predictor, View, auto_side


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
        return key_of({**self.settings, "points": self.points, "boxes": self.boxes})


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
    read = read_photograph(photo, max_pixels=job.max_pixels, long_side=None if with_region else most_needed(job))
    for each in read.notes:
        warnings.warn(str(each), stacklevel=2)
    stem = job.folder.stem_of(photo)
    names = [f"{stem}_mask.png"] if len(job.boxes) < 2 else [f"{stem}_mask_{index}.png" for index in range(len(job.boxes))]
    overlay_name = f"{stem}_overlay.jpg"
    job.folder.check_free(str(photo.resolve()), [*names, overlay_name], inputs)  # before the work rather than after it
    masks, scores = answer(job, read)
    seconds, objects = time.perf_counter() - start, job.predictor.object_scores
    writers: dict[str, Callable[[Path], None]] = {
        name: partial(write_mask, mask=mask) for name, mask in zip(names, masks, strict=True)
    }
    drawn = overlay(read.pixels, masks, boxes=job.boxes, points=job.points)
    writers[overlay_name] = partial(write_image, image=drawn)
    rows = [
        {
            "photo": str(photo),
            "width": read.size[0],
            "height": read.size[1],
            **told_of_view(job.predictor.attachment, view),
            "seconds": round(seconds, 4),
            "predicted_iou": float(score),
            "object_score": None if objects is None else float(objects[index]),
            "area": float(mask.mean()),
            "mask": str(job.folder.root / name),
            "overlay": str(job.folder.root / overlay_name),
        }
        for index, (mask, score, name, view) in enumerate(zip(masks, scores, names, job.predictor.views, strict=True))
    ]
    job.folder.write(photo, job.key, writers, rows, inputs)
    return Outcome(photo, rows)


def most_needed(job: SegmentJob) -> int:
    """The largest long side that a photo is encoded at as a whole: a larger one may be read smaller."""
    return job.long_side if isinstance(job.long_side, int) else job.predictor.max_side


def answer(job: SegmentJob, read: Photograph) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Masks `(K, H, W)` and predicted IoU `(K,)` of the job's prompts."""
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
        **prompt, multimask_output=job.multimask, focus=job.focus_settings if focused else False
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
