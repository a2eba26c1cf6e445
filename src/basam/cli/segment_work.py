"""The work behind `basam segment`: one photo after the other, the files that are written and the rows of the table."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.cli.console import DEBUGGING, Bars, is_out_of_memory, memory_line, new_table, note
from basam.errors import BasamError, FileError
from basam.families import Attachment
from basam.files import overlay, read_image, write_image, write_mask
from basam.predict import Predictor

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class SegmentJob:
    predictor: Predictor
    points: list[list[float]]  # x, y, perhaps a label
    boxes: list[list[float]]
    long_side: int | None
    out: Path


def check_folder(out: Path) -> None:
    """Make the output folder, and fail before any work where it cannot be written.

    Raises:
        OSError: naming the folder.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the output folder {out}: {error.strerror}") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise FileError(f"cannot write to the output folder {out}: permission denied")


def name_stems(photos: list[Path]) -> list[str]:
    """A stem for the files of every photo: its own, or with its suffix and number where two photos share one."""
    stems = [photo.stem for photo in photos]
    taken: dict[str, int] = {}
    names = []
    for photo, stem in zip(photos, stems, strict=True):
        name = stem if stems.count(stem) == 1 else f"{stem}_{photo.suffix.lstrip('.')}"
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return names


def run(job: SegmentJob, photos: list[Path]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the photos that worked and of those that failed."""
    rows: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    with Bars(shown=len(photos) > 1) as bars:
        for done, (photo, stem) in enumerate(zip(photos, name_stems(photos), strict=True), start=1):
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", UserWarning)
                    rows += segment_photo(job, photo, stem)
                for warning in caught:
                    note(f"note: {photo}: {warning.message}")
            except (BasamError, OSError, MemoryError, RuntimeError) as error:
                memory = is_out_of_memory(error)
                if DEBUGGING.on or not (memory or isinstance(error, (BasamError, OSError))):
                    raise
                failures.append(
                    {"photo": str(photo), "error": memory_line(job.long_side, "--long-side") if memory else str(error)}
                )
            bars.show("photos", done, len(photos))
    return rows, failures


def segment_photo(job: SegmentJob, photo: Path, stem: str) -> list[dict[str, Any]]:
    """Masks and an overlay of one photo, and one row per mask. Nothing is written unless every prompt was answered."""
    start = time.perf_counter()
    image = read_image(photo)
    height, width = image.shape[:2]
    predictor = job.predictor
    predictor.set_image(image, long_side=job.long_side)
    prompt: dict[str, Any] = {}
    if job.points:
        prompt["point_coords"] = [values[:2] for values in job.points]
        prompt["point_labels"] = [values[2] if len(values) == 3 else 1 for values in job.points]
    if job.boxes or not job.points:
        prompt["box"] = job.boxes or [[0, 0, width, height]]
        if job.points:
            prompt = {name: [value] if name != "box" else value for name, value in prompt.items()}
    masks, scores, _ = predictor.predict(**prompt, multimask_output=False)
    masks, scores = masks.reshape(-1, height, width), scores.reshape(-1)
    seconds = time.perf_counter() - start
    attachment = predictor.attachment
    rows = []
    for index, (mask, score) in enumerate(zip(masks, scores, strict=True)):
        suffix = "_mask.png" if len(masks) == 1 else f"_mask_{index}.png"
        file = job.out / f"{stem}{suffix}"
        write_mask(file, mask)
        rows.append(
            {
                "photo": str(photo),
                "width": width,
                "height": height,
                "tokens": attachment.tokens,
                "tokens_ratio": attachment.tokens / attachment.geometry.trained_tokens,
                "lambda": attachment.factor,
                "slope": slope_in_force(attachment),
                "seconds": seconds,
                "predicted_iou": float(score),
                "object_score": None if predictor.object_scores is None else float(predictor.object_scores[index]),
                "area": float(mask.mean()),
                "mask": str(file),
                "overlay": str(job.out / f"{stem}_overlay.jpg"),
            }
        )
    write_image(job.out / f"{stem}_overlay.jpg", overlay(image, masks))
    return rows


def slope_in_force(attachment: Attachment) -> float | None:
    """The slope in logits per patch at the present size, before it is spread over heads; None: learned slopes."""
    mode, tokens = attachment.mode, attachment.tokens
    return None if mode.slopes == "learned" else mode.effective_slope(tokens, attachment.geometry.trained_tokens)


def table(rows: list[dict[str, Any]]) -> Table:
    names = ["photo", "size", "tokens", "/\ntrained", "lambda", "slope", "seconds", "predicted\nIoU", "mask"]
    scored = any(row["object_score"] is not None for row in rows)
    if scored:
        names.insert(-1, "object\nscore")
    out = new_table(tuple(names), texts=("photo", "mask"))
    for row in rows:
        out.add_row(
            Path(row["photo"]).name,
            f"{row['width']} x {row['height']}",
            str(row["tokens"]),
            f"{row['tokens_ratio']:.2f}",
            f"{row['lambda']:.3f}",
            "learned" if row["slope"] is None else f"{row['slope']:.3f}",
            f"{row['seconds']:.1f}",
            f"{row['predicted_iou']:.2f}",
            *([f"{row['object_score']:.2f}"] if scored else []),
            row["mask"],
        )
    return out
