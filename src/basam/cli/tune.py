"""`basam tune`: photographs with masks -> an adapter of a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import command_words, one_line_errors
from basam.cli.options import Device, MaskValues, MaxPixels, MaxSide, ModelName, join, parse_list, split_names
from basam.lab.data import PromptSpec
from basam.lab.tuning import Lora, TuneLoss, TuneSettings


def tune(
    data: Annotated[
        list[str], typer.Option(metavar="[NAME=]KIND:ROOT[:SPLIT]", help="What to train on; its training split. Repeatable.")
    ],
    validation: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]KIND:ROOT[:SPLIT]", help="What to choose on, instead of a part of --data. Repeatable."),
    ] = None,
    mask_values: MaskValues = TuneSettings.mask_values,
    model: ModelName = TuneSettings.model,
    way: Annotated[str, typer.Option("--tune", help="What is trained: bias, decoder, lora or full.")] = TuneSettings.way,
    focus: Annotated[
        bool, typer.Option("--focus", help="Train on the regions around prompts, as --focus of other commands encodes them.")
    ] = TuneSettings.focus,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="LOW-HIGH|N|native",
            help="Long sides in pixels, one drawn for each step; of regions with --focus.",
            show_default="trained size to twice that; the trained size with --focus",
        ),
    ] = TuneSettings.sizes,
    max_side: MaxSide = TuneSettings.max_side,
    max_pixels: MaxPixels = TuneSettings.max_pixels,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = TuneSettings.steps,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Photographs per step, of all processes together.")
    ] = TuneSettings.batch_size,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts of a batch, one after the other, to save memory.")
    ] = TuneSettings.accumulate,
    rate: Annotated[float | None, typer.Option(help="Highest learning rate.", show_default="by --tune")] = TuneSettings.rate,
    schedule: Annotated[
        str, typer.Option(help="Of the rate. cosine: falls over --steps; constant: stays, so that --steps can be raised later.")
    ] = TuneSettings.schedule,
    slope_rate: Annotated[float, typer.Option(help="That of the slopes.")] = TuneSettings.slope_rate,
    slope: Annotated[float, typer.Option(help="What slopes start from, in logits per patch.")] = TuneSettings.slope,
    rank: Annotated[int, typer.Option(min=1, help="Of LoRA.")] = Lora.rank,
    prompts: Annotated[str, typer.Option(help="Drawn from at each step; as for basam evaluate.")] = join(TuneSettings.prompts),
    sampling: Annotated[
        str, typer.Option(help="balanced: every data set equally often; proportional: every photograph.")
    ] = TuneSettings.sampling,
    augment: Annotated[bool, typer.Option(help="Flip, crop and recolour.")] = TuneSettings.augment,
    boundary: Annotated[float, typer.Option(min=0, help="How much more pixels at edges count.")] = TuneLoss.boundary,
    ema: Annotated[float, typer.Option(help="Decay of the average of weights that is kept.")] = TuneSettings.ema,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16, of the image encoder.")] = TuneSettings.precision,
    checkpointing: Annotated[
        bool, typer.Option(help="Activation checkpointing: less memory, more time.")
    ] = TuneSettings.checkpointing,
    mode: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A mode.json; its slopes become learned ones.", show_default=False)
    ] = None,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps between validations and checkpoints.")
    ] = TuneSettings.validate_every,
    validate_count: Annotated[
        int, typer.Option(min=1, help="Photographs of each data set to validate on.")
    ] = TuneSettings.validate_count,
    validate_sizes: Annotated[
        str | None, typer.Option(metavar="N,N", help="Long sides to validate at.", show_default="both ends of --sizes")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = TuneSettings.seed,
    device: Device = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare photographs beside the model.")] = 0,
    tracker: Annotated[str, typer.Option(help="Any that accelerate knows, or none.")] = "tensorboard",
    merge: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also write base and adapter as one checkpoint.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run; a run in it resumes.")] = Path("runs/tune"),
) -> None:
    """Tune a model on your photographs and masks; the result is the folder OUT/adapter.

    The base stays as it is: load both with basam.load(MODEL, adapter="OUT/adapter"). Stopped at any moment and started
    again, the run resumes on the same curve. Several processes or machines: torchrun --nproc-per-node N -m basam tune ...
    """
    names = split_names("--prompts", prompts)
    is_main = os.environ.get("RANK", "0") == "0"
    with one_line_errors(resumes=True):
        from basam.lab.tuning import Tuning, check_folder, parameter_table
        from basam.lab.tuning import merge as merge_into
        from basam.model import read_mode

        settings = TuneSettings(
            data=tuple(data),
            validation=tuple(validation or ()),
            mask_values=mask_values,
            model=model,
            way=way,
            focus=focus,
            sizes=sizes,
            max_side=max_side,
            max_pixels=max_pixels,
            steps=steps,
            batch_size=batch_size,
            rate=rate,
            slope_rate=slope_rate,
            schedule=schedule,
            accumulate=accumulate,
            checkpointing=checkpointing,
            precision=precision,
            prompts=tuple(PromptSpec.parse(name) for name in names),
            sampling=sampling,
            augment=augment,
            loss=TuneLoss(boundary=boundary),
            ema=ema,
            lora=Lora(rank=rank),
            slope=slope,
            mode=None if mode is None else read_mode(mode),
            validate_every=validate_every,
            validate_count=validate_count,
            validate_sizes=()
            if validate_sizes is None
            else tuple(parse_list("--validate-sizes", validate_sizes, int, "512,1024")),
            seed=seed,
        )
        trackers = () if tracker == "none" else (tracker,)
        if merge is not None:
            check_folder(merge, "--merge")
        console.report_device(device)
        tuning = Tuning(
            settings, out, command=command_words(), device=device, workers=workers, trackers=trackers, report=console.report
        )
        if is_main:
            console.show(parameter_table(tuning.parts, f"{model}, --tune {way}"))
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
