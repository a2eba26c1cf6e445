"""What a run would do with each photo: views, tokens, memory and time, without reading more of a photo than its size."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from basam.batch import PromptRow
from basam.batch.job import Outcome, PhotoTask
from basam.batch.segmenting import SegmentJob, arguments, kinds, row_of_view, sound
from basam.checks import checked
from basam.errors import BasamError, InputError, reason_of
from basam.files import picture_size
from basam.predict import EncodingCost, Foreseen, encoding_cost, foresee


@dataclass(frozen=True)
class PhotoForecast(Outcome):
    """The outcome that is to be expected of one photo: a row for each prompt, or why it would be left out.

    Attributes:
        seconds: about what encoding takes, of all views of the photo; memory: bytes at its peak.
    """

    seconds: float = 0.0
    memory: int = 0


@checked
def forecasts(job: SegmentJob, tasks: Iterable[PhotoTask], *, raising: bool = False) -> Iterator[PhotoForecast]:
    """What `run` would do with each photo. Nothing is written, and no photo is decoded or encoded: one pass of the encoder at
    its trained size is timed, the rest follows from numbers of tokens (see `EncodingCost`)."""
    cost = encoding_cost(job.predictor)
    for task in tasks:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                forecast = of_photo(job, task, cost)
            forecast = replace(forecast, notes=tuple(dict.fromkeys(str(each.message) for each in caught)))
        except (BasamError, OSError) as error:
            if raising:
                raise
            forecast = PhotoForecast(task.photo, error=reason_of(error))
        yield forecast


def of_photo(job: SegmentJob, task: PhotoTask, cost: EncodingCost) -> PhotoForecast:
    """Raises what `SegmentJob.answer` would of the same photo and prompts."""
    done = job.finished(task)
    if done is not None:
        return PhotoForecast(task.photo, done.rows, faults=done.faults, before=True)
    width, height = picture_size(task.photo, max_pixels=job.max_pixels)
    job.check(task, width, height)
    prompts = task.prompts or (PromptRow(),)
    places, faults = sound(prompts, height, width)
    if not places:
        raise InputError(faults[0])
    found: dict[int, Foreseen] = {}
    for alike in kinds(prompts, places):
        some = [prompts[place] for place in alike]
        focus = job.focus_of(some[0], height, width)
        prompt, side = arguments(some, height, width), job.side(focus, height, width)
        views = foresee(job.predictor, height, width, prompt, focus, long_side=side, square=job.square)
        found |= dict(zip(alike, views, strict=True))
    encoded = list(dict.fromkeys(view for each in found.values() for view in each.encoded))
    tokens = [view.tokens(job.predictor.attachment.geometry) for view in encoded]
    seconds, memory = cost.seconds(tokens), cost.memory(max(tokens), height * width, len(places))
    rows = [
        {
            "photo": str(task.photo),
            **prompts[place].to_dict(),
            "width": width,
            "height": height,
            **row_of_view(job.predictor.attachment, found[place].view),
            # A first pass over the photo finds the region of a click: where it will be is not known before.
            **({} if found[place].certain else {"region": "by a first pass"}),
            "seconds": seconds,
            "memory": memory,
        }
        for place in places
    ]
    return PhotoForecast(task.photo, rows, faults=faults, seconds=seconds, memory=memory)
