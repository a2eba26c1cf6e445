"""`evaluate`: a data set, a model and a run folder -> lines, summary, plots and report. Resumes after an interruption."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import torch

from basam.batch import Stopwatch
from basam.checks import instance_of, path_of
from basam.errors import BasamError
from basam.files import MAX_PIXELS, check_extra, digest_of
from basam.lab.data import Dataset, Issues, Sample, open_dataset
from basam.lab.evaluation.custom import CustomMasks
from basam.lab.evaluation.detections import read_detections
from basam.lab.evaluation.lines import Results
from basam.lab.evaluation.maps import MapFolder
from basam.lab.evaluation.methods import CUSTOM, is_focused, same_methods
from basam.lab.evaluation.pairing import compare_methods, intervals_of
from basam.lab.evaluation.pool import MetricPool
from basam.lab.evaluation.processes import Processes, processes
from basam.lab.evaluation.questions import question_makers
from basam.lab.evaluation.report import write_report
from basam.lab.evaluation.runner import Masks, Runner
from basam.lab.evaluation.sam_masks import SamMasks
from basam.lab.evaluation.settings import NATIVE, EvaluateSettings
from basam.lab.evaluation.store import RunFolder, names_fingerprint, versions
from basam.lab.evaluation.tables import lines_of, make_row, write_summary
from basam.model import device_name, find_device, model_fingerprint
from basam.predict import Focus, Predictor

Progress = Callable[[int, int], None]  # images done and images in all, of this process


@dataclass(frozen=True)
class EvaluationOutcome:
    """The outcome of a run. `summary` and `issues` are set in its main process, and None in all others."""

    folder: Path
    stages: Stopwatch
    worked: float  # seconds that metrics took, wherever they ran
    summary: dict[str, Any] | None = None
    issues: Issues | None = None


def evaluate(
    settings: EvaluateSettings,
    out: str | Path,
    *,
    model: Any = None,
    workers: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> EvaluationOutcome:
    """Evaluate a model on a data set.

    Args:
        settings: what to evaluate.
        out: the run folder; a run of the same settings in it resumes. With a higher limit, or more sizes, methods or prompts,
            it is
            extended: finished measurements are not repeated.
        model: your own model, an object with `predict(image, box, points)`; see `CustomModel`. It is then the run's only
            method, at native resolution, instead of `settings.model`.
        workers: processes for metrics; 0: in the main process. None: one per core that the model leaves free.
        max_pixels: photographs and masks with more are left out and reported; started again with a higher number, the run adds
            them. None: no limit.
        command: the command line, for `run.json`.
        progress: called in the main process with the images done and the images in all.

    Raises:
        DatasetError, FileNotFoundError, UnsupportedModelError, ValueError: these settings are not possible; nothing has been
            written.
        RunMismatchError: the folder holds a run of other settings.
        NothingMeasuredError: all photographs or their masks were left out; the run folder has the reasons.
        MissingExtraError: the extra `evaluate` is not installed.
    """
    instance_of(settings, "settings", EvaluateSettings)
    device = str(find_device(settings.device))  # before anything is opened
    check_extra("evaluate")
    group = processes(device)
    dataset = open_dataset(
        settings.kind,
        settings.root,
        settings.split,
        images=settings.images,
        masks=settings.masks,
        name=settings.name,
        mask_values=settings.mask_values,
    ).limited_to(max_pixels)
    samples = chosen(dataset, settings.limit)
    detections = None if settings.detections is None else read_detections(settings.detections, dataset)
    if model is None:
        predictor = Predictor.from_pretrained(
            settings.model,
            settings.mode,
            adapter=settings.adapter,
            dtype=getattr(torch, settings.dtype),
            device=group.device(device),
        )
        mode = predictor.mode if settings.reach is None else replace(predictor.mode, reach=settings.reach)
        settings = replace(settings, mode=mode, focus=focus_of(settings, predictor))
        masks: Masks = SamMasks(predictor, settings)
        about = {
            **predictor.family.describe(predictor.model).to_dict(),
            "sha256": model_fingerprint(predictor.model),
            "slopes": None if (learned := predictor.attachment.learned) is None else learned().tolist(),
        }
        used = predictor.device
        notes = same_methods(settings.methods, mode)
    else:
        custom = CustomMasks(model)
        settings = replace(settings, model=custom.name, mode=None, focus=None)
        masks, about, notes, used = custom, {"name": custom.name}, [], torch.device(group.device(device))
    workers = group.workers() if workers is None else workers
    folder = RunFolder(path_of(out, "out"))
    if group.is_main:
        description = describe(settings, dataset, about)
        if model is not None:
            description["settings"] |= {"methods": [CUSTOM], "sizes": [NATIVE]}
        folder.begin(description, session(command, group, workers, used))
        folder.collect()
    group.wait()
    before = folder.read()
    pool = MetricPool(workers)
    try:
        maps = MapFolder(folder.path, dataset.samples) if settings.save_maps else None
        append = partial(folder.append, rank=group.rank, processes=group.count)
        runner = Runner(masks, settings.metrics, question_makers(settings, detections), pool, append, maps)
        mine = group.shard(samples)
        done = iter(range(1, len(mine) + 1))
        show = progress if progress is not None and group.is_main else no_progress
        runner.run(mine, before, lambda: show(next(done), len(mine)))
    finally:
        pool.close()
    group.wait()
    summary, issues = None, None
    if group.is_main:
        results = folder.collect()
        issues = Issues([*dataset.issues, *(issue for sample in samples for issue in results.issues.get(sample.id, ()))])
        summary = summarise_run(dataset, samples, runner, results, issues) | {"notes": notes}
        write_summary(folder.path, summary)
        write_report(folder, dataset, samples, summary, results, issues)
    group.wait()
    group.end()
    if summary is not None and issues is not None and not any(row["images"] for row in summary["rows"]):
        raise NothingMeasuredError(
            f"{dataset.title}: nothing was measured, all {len(samples)} photographs were left out: {first_of(issues)}"
        )
    return EvaluationOutcome(folder.path, runner.stages, pool.worked, summary, issues)


class NothingMeasuredError(BasamError, ValueError):
    """A run without results; the message has the reason."""


def first_of(issues: Issues) -> str:
    """Problems with their counts, and one file with its details."""
    left_out = [issue for issue in issues if issue.policy in ("broken", "left out")]
    return "; ".join([*issues.lines(names=1), *(f"such as {issue}" for issue in left_out[-1:])])


def no_progress(done: int, whole: int) -> None:
    """Show no progress."""


def chosen(samples: Dataset | Sequence[Sample], limit: int | None) -> list[Sample]:
    """All samples, or `limit` of them, evenly spaced: names often sort by kind, so the first ones would be too similar."""
    if limit is None or limit >= len(samples):
        return list(samples)
    return [samples[index * len(samples) // limit] for index in range(limit)]


def describe(settings: EvaluateSettings, dataset: Dataset, model: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for a run to resume, or may grow for a run to be extended; see `store.EXTENDABLE`."""
    data = {
        "title": dataset.title,
        "stand-in": dataset.is_stand_in,
        "images": len(dataset),
        "sha256 of names": names_fingerprint(sample.id for sample in dataset),
    }
    if settings.detections is not None:
        data["sha256 of detections"] = digest_of(path_of(settings.detections))
    return {"settings": settings.to_dict(), "data": data, "model": model}


def focus_of(settings: EvaluateSettings, predictor: Predictor) -> Focus | None:
    """The settings of regions in this run; None if no method uses regions."""
    if not any(map(is_focused, settings.methods)):
        return None
    return predictor.focus if settings.focus is None else settings.focus


def session(command: Sequence[str], group: Processes, workers: int, device: torch.device) -> dict[str, Any]:
    """When and how the run was started."""
    return {
        "command": list(command),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processes": group.count,
        "workers": workers,
        "threads": torch.get_num_threads(),
        "device": device_name(device),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
    }


def summarise_run(
    dataset: Dataset, samples: Sequence[Sample], runner: Runner, results: Results, issues: Issues
) -> dict[str, Any]:
    """The content of `summary.json`: independent of when, where and in how many sessions the run was made."""
    ids = [sample.id for sample in samples]
    rows = []
    for prompt in runner.makers:
        for variant in runner.masks.variants:
            lines = lines_of(results, ids, variant, prompt)
            rows.append(make_row(dataset, variant, prompt, lines) | {"intervals": intervals_of(lines)})
    return {
        "data": dataset.title,
        "stand-in": dataset.is_stand_in,
        "images": len(samples),
        "issues": issues.counts(),
        "broken": [str(issue) for issue in issues.broken],
        "rows": rows,
        "paired": compare_methods(results, ids, runner.masks.variants, runner.makers),
    }
