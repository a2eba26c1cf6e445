"""`basam tune`: photographs with masks -> an adapter of a model."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli.options import MaxSide, ModelName, split_names


def tune(
    data: Annotated[
        list[str], typer.Option(metavar="KIND:ROOT[:SPLIT]", help="What to train on; its training split. Repeatable.")
    ],
    validation: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:ROOT[:SPLIT]", help="What to choose on, instead of a part of --data. Repeatable."),
    ] = None,
    model: ModelName = "nano",
    way: Annotated[str, typer.Option("--tune", help="What is trained: bias, decoder, lora or full.")] = "decoder",
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="LOW-HIGH|N|native",
            help="Long sides in pixels, one drawn for each step.",
            show_default="trained size to twice that",
        ),
    ] = None,
    max_side: MaxSide = 4096,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 1000,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs a step, of all processes together.")] = 4,
    accumulate: Annotated[int, typer.Option(min=1, help="Parts of a batch, one after the other, to save memory.")] = 1,
    rate: Annotated[float | None, typer.Option(help="Highest learning rate.", show_default="by --tune")] = None,
    slope_rate: Annotated[float, typer.Option(help="That of the slopes.")] = 1e-2,
    slope: Annotated[float, typer.Option(help="What slopes start from, in logits a patch.")] = 0.01,
    rank: Annotated[int, typer.Option(min=1, help="Of LoRA.")] = 8,
    prompts: Annotated[
        str, typer.Option(help="Drawn from at each step; as for basam evaluate.")
    ] = "gt-box,noisy-box,gt-point,random-point,k-points:3+1",
    sampling: Annotated[
        str, typer.Option(help="balanced: every data set equally often; proportional: every photograph.")
    ] = "balanced",
    augment: Annotated[bool, typer.Option(help="Flip, crop and recolour.")] = True,
    boundary: Annotated[float, typer.Option(min=0, help="How much more pixels at edges count.")] = 0.0,
    ema: Annotated[float, typer.Option(help="Decay of the average of weights that is kept.")] = 0.99,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16, of the image encoder.")] = "no",
    checkpointing: Annotated[bool, typer.Option(help="Compute layers anew in the backward pass, to save memory.")] = True,
    mode: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A mode.json; its slopes become learned ones.", show_default=False)
    ] = None,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations and checkpoints.")] = 100,
    validate_count: Annotated[int, typer.Option(min=1, help="Photographs of each data set to validate on.")] = 16,
    validate_sizes: Annotated[
        str | None, typer.Option(metavar="N,N", help="Long sides to validate at.", show_default="both ends of --sizes")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, or cuda for what accelerate finds.")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare photographs beside the model.")] = 0,
    tracker: Annotated[str, typer.Option(help="Any that accelerate knows, or none.")] = "tensorboard",
    merge: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also write base and adapter as one checkpoint.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run; a run in it goes on.")] = Path("runs/tune"),
) -> None:
    """Tune a model on your photographs and masks; the result is the folder OUT/adapter.

    The base stays as it is: load both with basam.load(MODEL, adapter="OUT/adapter"). Stopped at any moment and started
    again, the run goes on along the same curve. Several processes or machines: torchrun --nproc-per-node N -m basam tune ...
    """
    chosen: dict[str, Any] = {"prompts": split_names("--prompts", prompts)}
    if validate_sizes is not None:
        from basam.cli.calibrate import parse_list

        chosen["validate_sizes"] = tuple(parse_list("--validate-sizes", validate_sizes, int, "512,1024"))

    from rich.console import Console

    errors = Console(stderr=True)
    is_main = os.environ.get("RANK", "0") == "0"
    try:
        from basam.data import PromptSpec
        from basam.model import read_mode
        from basam.tuning import Lora, TuneLoss, TuneSettings, Tuning, parameter_table
        from basam.tuning import merge as merge_into

        chosen["prompts"] = tuple(PromptSpec.parse(name) for name in chosen["prompts"])
        settings = TuneSettings(
            tuple(data),
            tuple(validation or ()),
            model,
            way,
            sizes,
            max_side,
            steps,
            batch_size,
            rate,
            slope_rate,
            accumulate,
            checkpointing,
            precision,
            sampling=sampling,
            augment=augment,
            loss=TuneLoss(boundary=boundary),
            ema=ema,
            lora=Lora(rank),
            slope=slope,
            mode=None if mode is None else read_mode(mode),
            validate_every=validate_every,
            validate_count=validate_count,
            seed=seed,
            **chosen,
        )

        def tell(text: str) -> None:
            errors.print(text, markup=False, highlight=False, soft_wrap=True)

        tuning = Tuning(
            settings,
            out,
            command=["basam", *sys.argv[1:]],
            device=device,
            workers=workers,
            trackers=() if tracker == "none" else (tracker,),
            tell=tell,
        )
        if is_main:
            Console().print(parameter_table(tuning.parts, f"{model}, --tune {way}"))
        outcome = tuning.run()
        if merge is not None and outcome.is_main:
            merge_into(settings, outcome.adapter, merge)
    except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    if not outcome.is_main:
        return
    for line in outcome.issues.lines():
        errors.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    first, best = outcome.scores.scores[0], outcome.scores.best
    typer.echo(f"IoU {first.mean:.4f} before, {best.mean:.4f} at step {best.step}; wrote {outcome.adapter}")
    if merge is not None:
        typer.echo(f"wrote {merge}")
