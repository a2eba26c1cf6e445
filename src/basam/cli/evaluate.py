"""`basam evaluate`: a data set, sizes and methods -> a run folder with tables, plots and a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli.options import (
    AdapterName,
    Device,
    EncoderDtype,
    Limit,
    LongSides,
    MetricWorkers,
    ModelName,
    PromptSeed,
    parse_sizes,
    split_names,
)


def evaluate(
    kind: Annotated[str, typer.Argument(help="dis5k, duts, isic, cod10k, camouflage, coco or folder.", show_default=False)],
    root: Annotated[Path, typer.Argument(help="Its folder, as downloaded.", show_default=False)],
    split: Annotated[str | None, typer.Option(help="Such as DIS-TE1 or val2017.", show_default="the test split")] = None,
    images: Annotated[str | None, typer.Option(help="For 'folder': images below ROOT.", show_default=False)] = None,
    masks: Annotated[str | None, typer.Option(help="For 'folder': masks below ROOT.", show_default=False)] = None,
    model: ModelName = "nano",
    adapter: AdapterName = None,
    sizes: LongSides = "native",
    methods: Annotated[
        str, typer.Option(help="resize: squeezed to the trained size; plain: any size, uncorrected; basam: corrected.")
    ] = "resize,plain,basam",
    mode: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A mode.json for basam.", show_default="the adapter's, or BiasMode()")
    ] = None,
    prompts: Annotated[
        str, typer.Option(help="gt-box, noisy-box[:SHARE], gt-point, random-point, k-points:P[+N], none.")
    ] = "gt-box",
    detections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="COCO: results JSON of a detector, as boxes.", show_default=False)
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Such as iou,mae.", show_default="those of the data set")] = None,
    limit: Limit = None,
    seed: PromptSeed = 0,
    multimask: Annotated[bool, typer.Option("--multimask", help="Take the mask of three with the best score.")] = False,
    dtype: EncoderDtype = "float32",
    device: Device = "cpu",
    workers: MetricWorkers = None,
    out: Annotated[Path, typer.Option(help="Run folder; a run in it goes on.")] = Path("runs/evaluate"),
) -> None:
    """Evaluate a model on a data set at any sizes, with and without the correction.

    OUT gets run.json, per_image.jsonl, summary.csv, summary.json, plots and report.html. Stopped at any moment and started
    again, the run goes on. Files that cannot be read are named, the others evaluated, and the exit status is 1.
    """
    chosen: dict[str, Any] = {
        "sizes": parse_sizes(sizes),
        "methods": split_names("--methods", methods),
        "metrics": () if metrics is None else split_names("--metrics", metrics),
    }
    prompt_names = split_names("--prompts", prompts)

    from rich.console import Console

    from basam.cli.evaluate_view import RunBar, show

    errors = Console(stderr=True)
    try:
        from basam.data import PromptSpec
        from basam.evaluation import EvaluateSettings
        from basam.evaluation import evaluate as run
        from basam.model import read_mode

        settings = EvaluateSettings(
            kind,
            str(root),
            split,
            images,
            masks,
            model,
            adapter,
            mode=None if mode is None else read_mode(mode),
            prompts=tuple(PromptSpec.parse(name) for name in prompt_names),
            detections=None if detections is None else str(detections),
            limit=limit,
            seed=seed,
            multimask=multimask,
            dtype=dtype,
            device=device,
            **chosen,
        )
        with RunBar(errors) as bar:
            outcome = run(settings, out, workers=workers, command=["basam", *sys.argv[1:]], progress=bar.show)
    except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    if outcome.summary is None or outcome.issues is None:
        return  # another process reports
    show(outcome.summary, outcome.issues, outcome.folder, Console(), errors)
    if outcome.issues.broken:
        raise typer.Exit(1)
