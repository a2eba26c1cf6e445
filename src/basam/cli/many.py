"""The work behind `segment` and `everything`: which photos and prompts, here or on Ray, and what is printed of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from basam.batch import (
    EverythingJob,
    PhotoJob,
    PhotoSettings,
    PhotoTask,
    PromptRow,
    RecordedResults,
    ResultFolder,
    SegmentJob,
    Shard,
    list_photos,
    outcomes_of,
    planned_outcomes,
    ray_running,
    ray_segment,
    read_prompts,
    run,
    tasks_of,
)
from basam.batch.writers import Outputs
from basam.cli import console
from basam.cli.many_options import PhotoOptions
from basam.cli.summaries import Summary
from basam.errors import InputError


@dataclass(frozen=True)
class Work:
    """What one call of a command is to do.

    Attributes:
        options: its photos are words that name them; with `prompts_from` at most one, the folder of the names in it.
        prompts: that all photos have.
        dry_run: of prompts: print what would be done.
    """

    options: PhotoOptions
    settings: PhotoSettings
    prompts: Sequence[PromptRow] = ()
    prompts_from: Path | None = None
    images_json: Path | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Gathered:
    """The photos of this process, which of all are among the results, and what could not be used of what was given."""

    tasks: list[PhotoTask]
    inputs: frozenset[str]
    faults: list[str]


def do(work: Work, summary: Summary) -> int:
    """Do it and print what became of it; returns the exit status."""
    options = work.options
    shard = Shard.of_environment() if options.shard is None else Shard.parse(options.shard)
    folder = ResultFolder(options.out, shared=shard.count > 1 or options.ray is not None, changes=not work.dry_run)
    outputs = work.settings.outputs(folder)
    found = gather(work, outputs, shard)
    if shard.count > 1 and not options.quiet:
        console.note(f"note: shard {shard}, number of photos: {len(found.tasks)}")
    for fault in found.faults:
        summary.left_out(fault)
    notes = Notes(options)
    several = len(found.tasks) > 1 and not options.quiet
    with console.json_list(options.as_json) as listed, console.Bars(shown=not options.quiet) as bars:
        for done, outcome in enumerate(outcomes(work, outputs, found, shard, bars), start=1):
            notes.show(f"{outcome.photo}: {note}" for note in outcome.notes)
            summary.add(outcome)
            if options.verbose:
                console.report(summary.line_of(outcome))
            for row in outcome.rows or [{"photo": str(outcome.photo), "error": outcome.error}]:
                listed.add(row)
            if several:
                bars.show("photos", done, len(found.tasks))
    if not options.quiet:
        if not options.as_json:
            summary.show()
        notes.show_rest()
        console.note(*summary.notes())
    console.failure(*summary.failures)
    if not summary.failed:
        return 0
    return console.SOME_FAILED if summary.done else console.NOTHING_DONE


class Notes:
    """Notes on photos: the first ones in full, of the others only their number."""

    def __init__(self, options: PhotoOptions) -> None:
        self.options, self.count = options, 0

    def show(self, notes: Iterator[str]) -> None:
        for note in notes:
            self.count += 1
            if not self.options.quiet and (self.options.verbose or self.count <= console.MOST_NAMED):
                console.note(f"note: {note}")

    def show_rest(self) -> None:
        more = self.count - console.MOST_NAMED
        if more > 0 and not self.options.verbose:
            console.note(f"note: {more} more notes on photos; --verbose prints all")


def gather(work: Work, outputs: Outputs, shard: Shard) -> Gathered:
    """Photos and prompts; names of results are given to all photos before this shard's are taken."""
    root, photos = outputs.folder.whole_root, work.options.photos or []
    if work.prompts_from is not None:
        roots = [Path(word) for word in photos]
        if roots and not roots[0].is_dir():
            raise InputError(f"{roots[0]}: with --prompts-from, PHOTOS is the folder that the names in it are relative to")
        file = read_prompts(work.prompts_from, root=roots[0] if roots else None, images_json=work.images_json)
        tasks, faults = tasks_of(outputs, list(file.prompts), file.prompts), file.faults
    else:
        listed = list_photos(photos, leave_out=RecordedResults().holds)
        faults = [f"{word}: {reason}" for word, reason in listed.faults]
        tasks = tasks_of(outputs, listed.photos, work.prompts)
    # Results are written below the folder alone, so photos elsewhere are safe.
    among = frozenset(str(path) for path in (task.photo.resolve() for task in tasks) if path.is_relative_to(root))
    # What is wrong with the list is the same for all shards: the first one reports it.
    return Gathered(shard.part(tasks), among, faults if shard.index == 0 else [])


def outcomes(work: Work, outputs: Outputs, found: Gathered, shard: Shard, bars: console.Bars) -> Iterator[Any]:
    """What became of each photo, or would; what is of the whole run is written however it ends, also by Ctrl-C."""
    if work.options.ray is not None and not work.dry_run:
        with ray_running(work.options.ray) as gpus:
            how: dict[str, Any] = {"workers": work.options.ray_workers, "gpus_each": gpus, "inputs": found.inputs}
            results = ray_segment(found.tasks, outputs.folder.root, work.settings, **how)
            yield from finishing(outputs, outcomes_of(results))
        return
    device = own_device(work.settings.device, shard)
    if not work.options.quiet:
        console.report_device(device)
    job = replace(work.settings, device=device).open(outputs)
    for note in job.notes if not work.options.quiet else ():
        console.note(f"note: {note}")
    if work.dry_run:
        assert isinstance(job, SegmentJob)
        yield from planned_outcomes(job, found.tasks, raising=console.DEBUGGING.on)
    else:
        job = with_progress(job, bars)
        yield from finishing(outputs, run(job, found.tasks, inputs=found.inputs, raising=console.DEBUGGING.on))


def with_progress(job: PhotoJob, bars: console.Bars) -> PhotoJob:
    """A job whose work on one photo takes long shows how far it is."""
    if isinstance(job, EverythingJob):
        return replace(job, progress=bars.show)
    return job


def finishing(outputs: Outputs, results: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from results
    finally:
        outputs.finish()


def own_device(device: str, shard: Shard) -> str:
    """Of several processes that a launcher started on a machine, each takes the GPU of its number."""
    number = os.environ.get("LOCAL_RANK", "")
    if shard.count == 1 or not number.isdigit() or device not in ("auto", "cuda"):
        return device
    import torch

    return f"cuda:{number}" if torch.cuda.is_available() else device
