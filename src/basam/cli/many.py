"""The work behind `segment` and `everything`: gather photos and prompts, run here or on Ray, print the results."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.batch import (
    PhotoSettings,
    PhotoTask,
    PromptRow,
    RecordedResults,
    ResultFolder,
    Shard,
    list_photos,
    read_prompts,
    tasks_of,
)
from basam.batch.writers import Outputs
from basam.cli import console
from basam.cli.run_options import RunOptions
from basam.cli.summaries import Summary
from basam.errors import InputError, collected_warnings

if TYPE_CHECKING:
    from basam.batch import Outcome

# Different notes that are counted individually.
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Work:
    """The photos of this process, results among the given photos, faults of the arguments, and notes."""

    tasks: list[PhotoTask]
    inputs: frozenset[str]
    faults: list[str]
    notes: list[str]


def segment_all(
    photos: Sequence[str],
    options: RunOptions,
    settings: PhotoSettings,
    summary: Summary,
    *,
    prompts: Sequence[PromptRow] = (),
    prompts_from: Path | None = None,
    images_json: Path | None = None,
    unlisted: bool = False,
    dry_run: bool = False,
) -> int:
    """Segment the photos of a command and print the results; returns the exit status.

    Args:
        photos: files, folders or patterns; with `prompts_from` at most one, the folder of the names in that file.
        prompts: for every photo. prompts_from, images_json: see `read_prompts`; unlisted: also photos without a row in it.
        dry_run: only print what would be done.
    """
    shard = Shard.of_environment() if options.shard is None else Shard.parse(options.shard)
    folder = ResultFolder(options.out, shared=shard.count > 1 or options.ray is not None, changes=not dry_run)
    outputs = settings.outputs(folder)
    with collected_warnings() as warnings:
        if prompts_from is None:
            work = listed_photos(photos, prompts, outputs, shard)
        else:
            work = photos_of_file(prompts_from, photos, images_json, unlisted, outputs, shard)
    if not options.quiet:
        console.note(*(f"note: {text}" for text in (*warnings, *work.notes)))
    if shard.count > 1 and not options.quiet:
        console.note(f"note: shard {shard}, number of photos: {len(work.tasks)}")
    for fault in work.faults:
        summary.left_out(fault)
    console.failure(*summary.new_failures())
    notes = Notes(options)
    before = 0
    several = len(work.tasks) > 1 and not options.quiet
    with console.json_list(options.as_json) as listed, console.Bars(visible=not options.quiet) as bars:
        results = outcomes(options, settings, outputs, work, shard, bars, dry_run)
        for done, outcome in enumerate(results, start=1):
            notes.show(outcome.photo, outcome.notes)
            summary.add(outcome)
            before += outcome.before
            console.failure(*summary.new_failures())
            if options.verbose:
                console.report(summary.line_of(outcome))
            for row in outcome.rows or [{"photo": str(outcome.photo), "error": outcome.error}]:
                listed.add(row)
            if several and done > before:  # photos of earlier runs do not count for the time left
                bars.show("photos", done - before, len(work.tasks) - before)
    if not options.quiet:
        if not options.as_json:
            summary.show()
        notes.show_rest()
        console.note(*summary.notes())
    if summary.failed > console.MOST_NAMED:
        console.failure(f"failed: {summary.failed - console.MOST_NAMED} more")
    if not summary.failed:
        return 0
    return console.SOME_FAILED if summary.done else console.NOTHING_DONE


class Notes:
    """Notes on photos: a text is printed once, with the first photo that has it, and at the end with the number of others."""

    def __init__(self, options: RunOptions) -> None:
        self.options, self.more = options, 0
        self.counts: Counter[str] = Counter()

    def show(self, photo: Path, notes: Iterable[str]) -> None:
        for note in notes:
            known = note in self.counts
            if known or len(self.counts) < MOST_COUNTED:
                self.counts[note] += 1
            new = not known and len(self.counts) <= console.MOST_NAMED
            self.more += not known and not new
            if not self.options.quiet and (self.options.verbose or new):
                console.note(f"note: {photo}: {note}")

    def show_rest(self) -> None:
        if self.options.verbose:
            return
        for note, count in list(self.counts.items())[: console.MOST_NAMED]:
            if count > 1:
                console.note(f"note: {count - 1} more photos: {note}")
        if self.more:
            console.note(f"note: {self.more} other notes on photos; --verbose prints all")


def listed_photos(words: Sequence[str], prompts: Sequence[PromptRow], outputs: Outputs, shard: Shard) -> Work:
    listed = list_photos(words, leave_out=RecordedResults().holds)
    faults = [f"{word}: {reason}" for word, reason in listed.faults]
    return gathered(tasks_of(outputs, listed.photos, prompts), faults, [], outputs, shard)


def photos_of_file(
    path: Path,
    words: Sequence[str],
    images_json: Path | None,
    unlisted: bool,
    outputs: Outputs,
    shard: Shard,
) -> Work:
    root = Path(words[0]) if words else None
    if root is not None and not root.is_dir():
        raise InputError(f"{root}: with --prompts-from, PHOTOS is the folder of the names in it")
    file = read_prompts(path, root=root, images_json=images_json)
    photos = {photo: name or photo.name for photo, name in file.names.items()}
    notes = []
    if root is not None:
        listed = {os.path.abspath(photo) for photo in photos}
        others = list_photos([str(root)], leave_out=RecordedResults().holds).photos
        rest = {photo: name for photo, name in others.items() if os.path.abspath(photo) not in listed}
        if unlisted:
            photos |= rest
        elif rest:
            notes = [
                f"photos in {root} without a row in {path}: {len(rest)}, not segmented; --unlisted segments them as a whole"
            ]
    tasks = tasks_of(outputs, photos, file.prompts, file.image_ids, file.categories)
    return gathered(tasks, file.faults, notes, outputs, shard)


def gathered(tasks: list[PhotoTask], faults: list[str], notes: list[str], outputs: Outputs, shard: Shard) -> Work:
    """The photos of this shard; names of results were given to all photos before."""
    root = outputs.folder.whole_root
    # Results are written below the folder only, so photos elsewhere are safe.
    paths = {Path(path) for task in tasks for path in (os.path.abspath(task.photo), os.path.realpath(task.photo))}
    among = frozenset(str(path) for path in paths if path.is_relative_to(root))
    # Faults of the list are the same for all shards; the first one reports them.
    first = shard.index == 0
    return Work(shard.part(tasks), among, faults if first else [], notes if first else [])


def outcomes(
    options: RunOptions,
    settings: PhotoSettings,
    outputs: Outputs,
    work: Work,
    shard: Shard,
    bars: console.Bars,
    dry_run: bool,
) -> Iterator[Outcome]:
    """Outcomes of the photos, or planned ones; files of the whole run are written however it ends, also by Ctrl-C."""
    if not work.tasks:
        return  # without loading a model
    from basam.batch import EverythingJob, SegmentJob, open_job, outcomes_of, planned_outcomes, ray_running, ray_segment, run

    if options.ray is not None and not dry_run:
        with ray_running(options.ray) as gpus:
            how: dict[str, Any] = {"workers": options.ray_workers, "gpus_each": gpus, "inputs": work.inputs}
            results = ray_segment(work.tasks, outputs.folder.root, settings, **how)
            yield from finishing(outputs, outcomes_of(results))
        return
    device = own_device(settings.device, shard)
    if not options.quiet:
        console.report_device(device)
    job = open_job(replace(settings, device=device), outputs)
    for note in job.notes if not options.quiet else ():
        console.note(f"note: {note}")
    if dry_run:
        assert isinstance(job, SegmentJob)
        yield from planned_outcomes(job, work.tasks, raising=console.DEBUGGING.on)
    else:
        if isinstance(job, EverythingJob):
            job = replace(job, progress=bars.show)
        yield from finishing(outputs, run(job, work.tasks, inputs=work.inputs, raising=console.DEBUGGING.on))


def finishing(outputs: Outputs, results: Iterator[Outcome]) -> Iterator[Outcome]:
    try:
        yield from results
    finally:
        outputs.finish()


def own_device(device: str, shard: Shard) -> str:
    """The GPU for this one of several processes that a launcher started on a machine."""
    number = os.environ.get("LOCAL_RANK", "")
    if shard.count == 1 or not number.isdigit() or device not in ("auto", "cuda"):
        return device
    import torch

    return f"cuda:{number}" if torch.cuda.is_available() else device
