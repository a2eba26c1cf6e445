"""`basam tune`: photographs with masks -> an adapter of a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import command_words, one_line_errors
from basam.cli.from_settings import settings_of, with_options
from basam.cli.options import Device
from basam.lab.tuning import TuneSettings


@with_options(TuneSettings)
def tune(
    device: Device = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare photographs.")] = 0,
    tracker: Annotated[str, typer.Option(help="A tracker of accelerate, or none.")] = "tensorboard",
    merge: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also write base and adapter as one checkpoint.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Run folder; an existing run resumes.")] = Path("runs/tune"),
    **given: Any,
) -> None:
    """Tune a model on your photographs and masks; writes the adapter OUT/adapter.

    Example: basam tune --data folder:photos --steps 2000 --out runs/tune

    The base is not changed: load both with basam.load(MODEL, adapter="OUT/adapter"). Running the command again after an
    interruption resumes with identical results. Several processes or machines: torchrun --nproc-per-node N -m basam tune ...
    """
    is_main = os.environ.get("RANK", "0") == "0"
    with one_line_errors(resumes=True):
        settings: TuneSettings = settings_of(TuneSettings, given)
        from basam.lab.tuning import Tuning, check_folder, parameter_table
        from basam.lab.tuning import merge as merge_into

        trackers = () if tracker == "none" else (tracker,)
        if merge is not None:
            check_folder(merge, "--merge")
        console.report_device(device)
        tuning = Tuning(
            settings, out, command=command_words(), device=device, workers=workers, trackers=trackers, report=console.report
        )
        if is_main:
            console.show(parameter_table(tuning.parts, f"{settings.model}, --tune {settings.way}"))
        outcome = tuning.run()
        if merge is not None and outcome.is_main:
            merge_into(settings, outcome.adapter, merge)
    if not outcome.is_main:
        return
    console.problems(outcome.issues)
    first, best = outcome.scores.scores[0], outcome.scores.best
    console.say(f"IoU {first.mean:.4f} before, {best.mean:.4f} at step {best.step}; wrote {outcome.adapter}")
    if merge is not None:
        console.say(f"wrote {merge}")
    if outcome.issues.broken:
        raise typer.Exit(console.SOME_FAILED)
