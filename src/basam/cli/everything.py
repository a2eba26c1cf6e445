"""`basam everything`: photographs -> masks of everything in them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import one_line_errors
from basam.cli.options import AdapterName, Device, MaxPixels, MaxSide, ModeFile, ModelName
from basam.cli.outputs import DEFAULT_KINDS, FillHoles, Largest, MinArea, Outputs, Tolerance, Write
from basam.cli.segment import DType, check_mode_switches, named, parse_long_side
from basam.files import MAX_PIXELS
from basam.method import BiasMode
from basam.predict import MAX_SIDE


def everything(
    photos: Annotated[list[Path], typer.Argument(help="Photographs.", show_default=False)],
    model: ModelName = "nano",
    adapter: AdapterName = None,
    points_per_side: Annotated[int | None, typer.Option(min=1, help="Points along each side.", show_default="32")] = None,
    spacing: Annotated[
        float | None, typer.Option(min=1, help="Pixels between points, instead of points per side.", show_default=False)
    ] = None,
    points_per_batch: Annotated[int, typer.Option(min=1, help="Points that are asked together, at most.")] = 64,
    iou: Annotated[float, typer.Option(max=1, help="Masks stay whose predicted IoU is above this.")] = 0.88,
    stability: Annotated[float, typer.Option(max=1, help="Masks stay whose stability is at least this.")] = 0.95,
    stability_offset: Annotated[float, typer.Option(min=0, help="Of the stability, in logits.")] = 1.0,
    nms: Annotated[float, typer.Option(min=0, max=1, help="Of two masks whose boxes have a larger IoU one stays.")] = 0.7,
    mask_nms: Annotated[
        float | None, typer.Option(min=0, max=1, help="And of two whose masks have a larger IoU.", show_default=False)
    ] = None,
    containment: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="And of two that share more than this of the smaller one.", show_default=False),
    ] = None,
    crops: Annotated[int, typer.Option(min=0, max=10, help="Layers of crops, of 4, 16, ... each, asked besides.")] = 0,
    crop_nms: Annotated[float, typer.Option(min=0, max=1, help="--nms between crops.")] = 0.7,
    crop_overlap: Annotated[float, typer.Option(min=0, max=0.99, help="Share of the short side.")] = 512 / 1500,
    long_side: Annotated[
        str,
        typer.Option(
            metavar="auto|native|N",
            help="Of the photo, and of each crop, in model pixels; auto: up to 4 times the trained tokens.",
        ),
    ] = "auto",
    max_side: MaxSide = MAX_SIDE,
    max_pixels: MaxPixels = MAX_PIXELS,
    plain: Annotated[bool, typer.Option("--plain", help="Uncorrected.")] = False,
    mode: ModeFile = None,
    dtype: Annotated[DType, typer.Option(help="Of the image encoder; the rest keeps float32.")] = DType.float32,
    device: Device = "auto",
    write: Write = DEFAULT_KINDS,
    tolerance: Tolerance = 1.0,
    min_area: MinArea = 0,
    fill_holes: FillHoles = 0,
    largest: Largest = False,
    out: Annotated[Path, typer.Option(help="Folder for the files; made where absent.")] = Path("out"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do photos again that are done already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of the table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False,
) -> None:
    """Find everything in photographs: a grid of points is asked, and the best masks stay, each once.

    Thresholds are those of Meta's generator, made for a large SAM; a small model such as nano seldom reaches them. For every
    photo OUT gets the files that --write names, and records.jsonl tells what was written: the same command again resumes, a
    file that basam did not write is never overwritten. A photo without objects is done, too, and its files are empty. A photo
    that cannot be read is named, the others are done, and the exit status is 1 (2 where none could be done).
    """
    if points_per_side is not None and spacing is not None:
        raise typer.BadParameter("takes the place of --points-per-side; give one of them", param_hint="--spacing")
    side = parse_long_side(long_side)
    check_mode_switches(plain, {}, mode)
    with one_line_errors(resumes=True):
        import torch

        from basam.cli.everything_work import EverythingJob, run
        from basam.cli.segment_table import json_list
        from basam.files import ResultFolder
        from basam.masks import Cleaning
        from basam.model import model_fingerprint, read_mode_file
        from basam.predict import AutomaticMasks, Predictor

        folder = ResultFolder(out)
        outputs = Outputs.of_options(write, Cleaning(fill_holes, min_area, largest), tolerance, out)
        given = BiasMode.off() if plain else None if mode is None else read_mode_file(mode).mode
        predictor = Predictor.from_pretrained(
            model, given, adapter=adapter, dtype=getattr(torch, dtype.value), device=device, max_side=max_side
        )
        asked: dict[str, Any] = {
            "points_per_side": None if spacing is not None else points_per_side or 32,
            "spacing": spacing,
            "pred_iou_thresh": iou,
            "stability_score_thresh": stability,
            "stability_score_offset": stability_offset,
            "box_nms_thresh": nms,
            "mask_nms_thresh": mask_nms,
            "containment_thresh": containment,
            "crop_n_layers": crops,
            "crop_nms_thresh": crop_nms,
            "crop_overlap_ratio": crop_overlap,
        }
        job = EverythingJob(
            generator=AutomaticMasks(predictor, points_per_batch=points_per_batch, soft=outputs.soft, **asked),
            folder=folder,
            outputs=outputs,
            long_side=side,
            settings={
                **asked,
                **outputs.settings,
                "model": model_fingerprint(predictor.model),
                "mode": asdict(predictor.mode),
                "long side": side,
                "max side": max_side,
                "dtype": dtype.value,
            },
            overwrite=overwrite,
            max_pixels=max_pixels,
        )
        outcomes = []
        with outputs, json_list(as_json) as listed:
            for outcome in run(job, photos, quiet=quiet):
                outcomes.append(outcome)
                for row in outcome.rows or [{"photo": str(outcome.photo), "error": outcome.error}]:
                    listed.add(row)
    rows = [row for outcome in outcomes for row in outcome.rows]
    if rows and not as_json and not quiet:
        table = console.new_table(("photo", "size", "masks", "best IoU", "s"), texts=("photo", "size"))
        for row in rows:
            best = "" if row["best_iou"] is None else f"{row['best_iou']:.2f}"
            size = f"{row['width']}x{row['height']}"
            table.add_row(Path(row["photo"]).name, size, str(row["masks"]), best, f"{row['seconds']:.1f}")
        console.show(table)
    for row in rows if not quiet else ():
        if not row["masks"]:
            console.note(
                f"note: {row['photo']}: no mask reaches --iou {iou:g} and --stability {stability:g}; its files are empty"
            )
    before = sum(outcome.before for outcome in outcomes)
    if before and not quiet:
        console.note(f"note: {before} of {len(photos)} photos were done already in the same way; --overwrite repeats them")
    failures = [outcome for outcome in outcomes if outcome.error is not None]
    console.failure(*(f"failed: {named(outcome.photo, outcome.error)}" for outcome in failures))
    if failures:
        raise typer.Exit(console.SOME_FAILED if rows else console.NOTHING_DONE)
