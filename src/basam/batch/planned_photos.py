"""What a run would do with every photo: views and tokens, from the photo's size alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from basam.batch import PhotoTask, PromptRow
from basam.batch.job import Outcome
from basam.batch.segmenting import SegmentJob, arguments, row_of_view, same_kind_groups, valid_prompts
from basam.errors import BasamError, InputError, collected_warnings, reason_of
from basam.files import picture_size
from basam.predict import PlannedView, planned_views


def planned_outcomes(job: SegmentJob, tasks: Iterable[PhotoTask], *, raising: bool = False) -> Iterator[Outcome]:
    """What `run` would do with every photo. Nothing is written, decoded or encoded."""
    for task in tasks:
        try:
            with collected_warnings() as notes:
                outcome = of_photo(job, task)
            outcome = replace(outcome, notes=tuple(dict.fromkeys(notes)))
        except (BasamError, OSError) as error:
            if raising:
                raise
            outcome = Outcome(task.photo, error=reason_of(error))
        yield outcome


def of_photo(job: SegmentJob, task: PhotoTask) -> Outcome:
    """Raises what the run would raise for the same photo and prompts."""
    done = job.finished(task)
    if done is not None:
        return done
    width, height = picture_size(task.photo, max_pixels=job.settings.max_pixels)
    job.check(task, width, height)
    prompts = task.prompts or (PromptRow(),)
    places, faults = valid_prompts(prompts, height, width)
    if not places:
        raise InputError(faults[0])
    planned: dict[int, PlannedView] = {}
    for same_kind in same_kind_groups(prompts, places):
        some = [prompts[place] for place in same_kind]
        focus = job.focus_of(some[0], height, width)
        prompt, side = arguments(some, height, width), job.side(focus, height, width)
        how = {"square": job.settings.resize, "pyramid": job.settings.pyramid}
        views = planned_views(job.predictor, height, width, prompt, focus, long_side=side, **how)
        planned |= dict(zip(same_kind, views, strict=True))
    rows = [
        {
            "photo": str(task.photo),
            **prompts[place].to_dict(),
            "width": width,
            "height": height,
            **row_of_view(job.predictor.attachment, planned[place].view),
            # The region of a click depends on a first prediction; only its number of tokens is known.
            **({} if planned[place].certain else {"region": "by a first pass"}),
            "encodings": planned[place].encodings,
        }
        for place in places
    ]
    return Outcome(task.photo, rows, faults=faults)
