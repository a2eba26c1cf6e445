"""The work behind `basam segment`: which photos and prompts, here or on Ray, and what is told of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from basam.cli import console
from basam.cli.segment_table import Forecasts, Summary, json_list, line_of
from basam.data import PromptRow, list_photos, read_prompts
from basam.distributed import PhotoTask, SegmentSettings, Shard, forecasts, outcomes_of, ray_segment, run, tasks_of
from basam.errors import InputError
from basam.files import ResultFolder, require


@dataclass(frozen=True)
class Work:
    """What `basam segment` was asked for."""

    settings: SegmentSettings
    out: Path
    photos: list[str]
    prompts: list[PromptRow]
    prompts_from: Path | None = None
    images_json: Path | None = None
    shard: str | None = None
    ray: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Gathered:
    """The photos of this process, of how many in all, and what could not be used of what was given."""

    tasks: list[PhotoTask]
    inputs: frozenset[str]
    faults: list[str]


def do(work: Work, *, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Do it and print what became of it; returns the exit status."""
    shard = Shard.of_environment() if work.shard is None else Shard.parse(work.shard)
    folder = ResultFolder(work.out, shared=shard.count > 1 or work.ray is not None, changes=not work.dry_run)
    found = gather(work, folder, shard)
    if shard.count > 1 and not quiet:
        console.note(f"note: shard {shard}, number of photos: {len(found.tasks)}")
    summary: Summary = Forecasts() if work.dry_run else Summary()
    for fault in found.faults:
        summary.left_out(fault)
    with json_list(as_json) as listed, console.Bars("photos", shown=len(found.tasks) > 1 and not quiet) as bars:
        for done, outcome in enumerate(outcomes(work, folder, found, shard, quiet=quiet), start=1):
            for note in outcome.notes if not quiet else ():
                console.note(f"note: {outcome.photo}: {note}")
            if verbose:
                console.tell(line_of(outcome.photo, outcome.rows, outcome.error))
            for row in outcome.rows or [{"photo": str(outcome.photo), "error": outcome.error}]:
                listed.add(row)
            summary.add(outcome)
            bars.show("photos", done, len(found.tasks))
    if not as_json and not quiet:
        summary.show()
    if summary.before and not quiet:
        console.note(
            f"note: {summary.before} of {summary.photos} photos were done already with the same prompts; "
            "--overwrite repeats them"
        )
    console.failure(*summary.failures)
    if not summary.failed:
        return 0
    return console.SOME_FAILED if summary.masks else console.NOTHING_DONE


def gather(work: Work, folder: ResultFolder, shard: Shard) -> Gathered:
    """Photos and prompts; names of results are given to all photos before this shard's are taken."""
    faults: list[str] = []
    if work.prompts_from is not None:
        roots = [Path(word) for word in work.photos]
        if roots and not roots[0].is_dir():
            raise InputError(f"{roots[0]}: with --prompts-from, PHOTOS is the folder that the names in it are relative to")
        file = read_prompts(work.prompts_from, root=roots[0] if roots else None, images_json=work.images_json)
        tasks, faults = tasks_of(folder, list(file.prompts), file.prompts), file.faults
    else:
        root = work.out.resolve()

        def is_result(path: Path) -> bool:
            whole = path.resolve()
            return whole.is_relative_to(root) and whole.relative_to(root).as_posix() in folder.owners

        listed = list_photos(work.photos, leave_out=is_result)
        faults = [f"{word}: {reason}" for word, reason in listed.faults]
        tasks = tasks_of(folder, listed.photos, work.prompts)
    inputs = frozenset(str(task.photo.resolve()) for task in tasks)
    return Gathered(shard.part(tasks), inputs, faults)


def outcomes(work: Work, folder: ResultFolder, found: Gathered, shard: Shard, *, quiet: bool) -> Iterator[Any]:
    """What became of each photo, or would."""
    if work.ray is not None and not work.dry_run:
        with ray_running(work.ray) as gpus:
            results = ray_segment(found.tasks, folder.root, work.settings, gpus_each=gpus)
            yield from outcomes_of(results)
        return
    job = replace(work.settings, device=own_device(work.settings.device, shard)).open(folder)
    for note in job.notes if not quiet else ():
        console.note(f"note: {note}")
    if work.dry_run:
        yield from forecasts(job, found.tasks, raising=console.DEBUGGING.on)
    else:
        yield from run(job, found.tasks, inputs=found.inputs, raising=console.DEBUGGING.on)


def own_device(device: str, shard: Shard) -> str:
    """Of several processes that a launcher started on a machine, each takes the GPU of its number."""
    number = os.environ.get("LOCAL_RANK", "")
    if shard.count == 1 or not number.isdigit() or device not in ("auto", "cuda"):
        return device
    import torch

    return f"cuda:{number}" if torch.cuda.is_available() else device


@contextmanager
def ray_running(address: str) -> Iterator[float]:
    """Ray, joined or started for the block; yields how much of a GPU each actor takes."""
    ray = require("ray", "ray")
    data = require("ray.data", "ray")
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # the bar of photos tells how far the work is
    data.DataContext.get_current().enable_progress_bars = False
    own = not ray.is_initialized()
    if own:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    try:
        yield 1.0 if ray.cluster_resources().get("GPU", 0) >= 1 else 0.0
    finally:
        if own:
            ray.shutdown()
