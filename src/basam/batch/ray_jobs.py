"""Segmenting many photographs on a Ray cluster: Ray Data distributes them in blocks to actors that hold the model."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from basam.batch import PhotoPlace, PhotoTask, PromptRow, ResultFolder
from basam.batch.job import Outcome
from basam.batch.opening import open_job
from basam.batch.running import EXPECTED, run
from basam.batch.settings import PhotoSettings, SegmentSettings
from basam.errors import InputError, WorkerError, reason_of
from basam.files import require

# Photos per block: few enough that all actors end at about the same time, enough to make distribution cheap.
PHOTOS_AT_ONCE = 8


def ray_segment(
    dataset: Any,
    out: str | Path,
    settings: PhotoSettings | None = None,
    *,
    workers: int | tuple[int, int] | None = None,
    gpus_each: float = 0,
    cpus_each: float = 1,
    inputs: Collection[str] = (),
) -> Any:
    """Segment the photos of a Ray dataset as `basam segment` does, or as `basam everything` with `EverythingSettings`.

    Results and records go to one folder, so `out` and the photos must have the same path on every machine. Finished photos are
    skipped. Ray must be running (`ray.init`). With the kind `coco`, `basam merge` makes the COCO file of all photos
    when the work is done.

    Args:
        dataset: a `ray.data.Dataset` with a column `photo` (paths) and perhaps `prompts` (JSON: a list of objects with `box`,
            `points`, `id`, `label`, `score`) and `image_id` (in COCO); or photo tasks.
        workers: number of actors; `(least, most)` lets Ray choose, and so does None, from 1 upwards.
        gpus_each, cpus_each: resources per actor.
        inputs: resolved paths that results never overwrite.

    Returns:
        a `ray.data.Dataset` with a row per photo: `photo`, `rows` (JSON, as in `records.jsonl`), `error` (empty: none),
        `faults` and `notes` (JSON), `before`, `stopped` (why no photo can be done). Lazy: iterating over it does the work.

    Raises:
        ImportError: Ray is not installed.
    """
    data = require("ray.data", "ray")
    if isinstance(dataset, Sequence):
        dataset = data.from_items([row_of(task) for task in dataset])
    if workers is None or isinstance(workers, tuple):
        least, most = (1, None) if workers is None else workers
        pool = data.ActorPoolStrategy(min_size=least, max_size=most)
    else:
        pool = data.ActorPoolStrategy(size=workers)
    return dataset.map_batches(
        RaySegmenter,
        fn_constructor_kwargs={
            "out": str(Path(out).resolve()),
            "settings": settings or SegmentSettings(),
            "inputs": frozenset(inputs),
        },
        compute=pool,
        batch_size=PHOTOS_AT_ONCE,
        num_cpus=cpus_each,
        num_gpus=gpus_each,
    )


class RaySegmenter:
    """An actor: the model, loaded once, and the folder of results."""

    def __init__(self, out: str, settings: PhotoSettings, inputs: Collection[str]) -> None:
        self.inputs, self.stopped = inputs, ""
        # Errors of all photos are returned by `__call__` as text; if raised here, Ray would load the model again and print
        # traces.
        with self.stopping():
            self.job = open_job(settings, settings.outputs(ResultFolder(Path(out), shared=True)))

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Errors in the block whose cause is outside the program end the work."""
        try:
            yield
        except EXPECTED as error:
            reason = reason_of(error)
            if reason is None:
                raise
            self.stopped = reason

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        count = len(batch["photo"])
        outcomes: list[Outcome] = []
        if not self.stopped:
            columns = {name: batch.get(name, np.full(count, "")) for name in ("photo", "prompts", "image_id", "place")}
            tasks = [self.task(*map(str, values)) for values in zip(*columns.values(), strict=True)]
            with self.stopping():
                outcomes += run(self.job, tasks, inputs=self.inputs)
        outcomes += [Outcome(Path(str(photo)), error=self.stopped) for photo in batch["photo"][len(outcomes) :]]
        return {
            "stopped": [self.stopped] * count,
            "photo": [str(outcome.photo) for outcome in outcomes],
            "rows": [json.dumps(outcome.rows) for outcome in outcomes],
            "error": [outcome.error or "" for outcome in outcomes],
            "faults": [json.dumps(outcome.faults) for outcome in outcomes],
            "notes": [json.dumps(outcome.notes) for outcome in outcomes],
            "before": [outcome.before for outcome in outcomes],
        }

    def task(self, photo: str, prompts: str, image_id: str, place: str) -> PhotoTask:
        rows = tuple(map(prompt_of, json.loads(prompts or "[]")))
        values = json.loads(image_id or "null")
        if not place:
            return PhotoTask(self.job.folder.place_of(Path(photo)), rows, values, values is not None)
        return PhotoTask(PhotoPlace(Path(photo), *json.loads(place)), rows, *values)


def row_of(task: PhotoTask) -> dict[str, Any]:
    """A task as a row of a dataset; its path is valid on every machine."""
    place = task.place
    return {
        "photo": str(task.photo.absolute()),
        "prompts": json.dumps([asdict(row) for row in task.prompts]),
        "image_id": json.dumps([task.image_id, task.own_id]),
        "place": json.dumps([place.identity, place.name, place.stem]),
    }


def prompt_of(values: dict[str, Any]) -> PromptRow:
    """A prompt from a dataset, written by `row_of` or by a user."""
    box, points = values.get("box"), values.get("points") or ()
    return PromptRow(
        **{
            **values,
            "box": None if box is None else tuple(box),
            "points": tuple((*point, 1)[:3] for point in points),
        }
    )


def outcomes_of(results: Any) -> Iterator[Outcome]:
    """Outcomes as they come from the actors, in no order.

    Raises:
        ValueError: no photo can be done, for example because the model cannot be loaded.
        RuntimeError: an actor was lost.
    """
    errors = require("ray.exceptions", "ray")
    rows = iter(results.iter_rows())
    while True:
        try:
            row = next(rows, None)
        except errors.RayTaskError:
            raise  # a bug
        except errors.RayError as error:
            first = str(error).strip().partition("\n")[0]
            raise WorkerError(f"a worker of Ray was lost: {first}; the same command resumes") from error
        if row is None:
            return
        if row["stopped"]:
            raise InputError(row["stopped"])
        faults, notes = tuple(json.loads(row["faults"])), tuple(json.loads(row["notes"]))
        yield Outcome(Path(row["photo"]), json.loads(row["rows"]), row["error"] or None, faults, notes, bool(row["before"]))
