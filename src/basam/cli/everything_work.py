"""The work behind `basam everything`: one photo after the other."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.cli.console import Bars, note, reason
from basam.cli.outputs import Outputs
from basam.cli.segment_work import Outcome
from basam.errors import BasamError
from basam.files import MAX_PIXELS, ResultFolder, key_of, read_photograph
from basam.predict import AutomaticMasks, auto_side
from basam.predict.writers import Found, ResultsOfPhoto, check_size, cleaned, names_of


@dataclass(frozen=True)
class EverythingJob:
    """What is done with every photo.

    Attributes:
        long_side: of the photo and of each crop in model pixels; None: their own; `auto`: see `auto_side`.
        settings: all that decides the result, for the records.
        overwrite: photos that are done are done again.
        max_pixels: photos of more are refused.
    """

    generator: AutomaticMasks
    folder: ResultFolder
    outputs: Outputs
    long_side: int | str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    max_pixels: int | None = MAX_PIXELS


def run(job: EverythingJob, photos: list[Path], *, quiet: bool = False) -> Iterator[Outcome]:
    """What became of each photo, as it comes."""
    inputs = {photo.resolve() for photo in photos}
    with Bars("points", shown=not quiet) as bars:
        for photo in photos:
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", UserWarning)
                    outcome = one_photo(job, photo, inputs, bars)
                for text in dict.fromkeys(str(warning.message) for warning in caught) if not quiet else ():
                    note(f"note: {photo}: {text}")
            except (BasamError, OSError, MemoryError, RuntimeError) as error:
                line = reason(error)
                if line is None:
                    raise
                job.folder.failed(photo, line)
                outcome = Outcome(photo, error=line)
            yield outcome


def one_photo(job: EverythingJob, photo: Path, inputs: set[Path], bars: Bars) -> Outcome:
    """All files of one photo; nothing is written before everything was found."""
    start = time.perf_counter()
    key = key_of(job.settings)
    before = None if job.overwrite else job.folder.finished(photo, key)
    if before is not None:
        return Outcome(photo, before, before=True)
    read = read_photograph(photo, max_pixels=job.max_pixels)
    for each in read.notes:
        warnings.warn(str(each), stacklevel=2)
    width, height = read.size
    check_size(job.outputs.kinds, height, width)
    # Before the work rather than after it; of masks that are numbered, the first.
    names = names_of(job.outputs.kinds, job.folder.stem_of(photo), 2)
    job.folder.check_free(str(photo.resolve()), [name for some in names.values() for name in some], inputs)
    geometry = job.generator.predictor.attachment.geometry
    side = auto_side(height, width, geometry.image_size, geometry.multiple) if job.long_side == "auto" else job.long_side
    job.generator.long_side = min(side, job.generator.predictor.max_side) if isinstance(side, int) else None
    name = photo.name
    candidates = job.generator.find(read, progress=lambda done, whole: bars.show(name, done, whole))
    found = cleaned(
        (
            Found(each.runs, each.predicted_iou, number, None, each.stability, each.point, each.soft)
            for number, each in enumerate(candidates, start=1)
        ),
        job.outputs.cleaning,
    )
    results = ResultsOfPhoto(photo, (height, width), read.pixels, found, job.outputs.tolerance)
    row = {
        "photo": str(photo),
        "width": width,
        "height": height,
        "masks": len(found),
        "best_iou": max((each.score for each in found), default=None),
        "seconds": round(time.perf_counter() - start, 4),
        "files": job.outputs.paths(job.folder, job.folder.stem_of(photo), len(found)),
    }
    job.outputs.write(job.folder, key, results, [row], inputs)
    return Outcome(photo, [row])
