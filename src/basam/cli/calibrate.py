"""`basam calibrate`: choose the correction for a model and a kind of photograph, and write it to `mode.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import one_line_errors
from basam.cli.options import Device, MaskValues, MaxPixels, ModelName, parse_list
from basam.files import MAX_PIXELS
from basam.lab.data import Source


def calibrate(
    kind: Annotated[str | None, typer.Argument(help="Kind of the data set: dis5k, duts, isic, cod10k, coco, ...")] = None,
    root: Annotated[Path | None, typer.Argument(help="Its folder, as downloaded.")] = None,
    split: Annotated[
        str | None, typer.Option(help="A training or validation split.", show_default="train, of a data set")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Photographs without masks, instead of KIND and ROOT.")
    ] = None,
    model: ModelName = "nano",
    sizes: Annotated[str, typer.Option(metavar="N,N", help="Long sides in pixels to calibrate for.")] = "1024",
    max_pixels: MaxPixels = MAX_PIXELS,
    count: Annotated[
        int | None,
        typer.Option(min=2, help="Photographs of each data set at most: 30, and 16 without masks.", show_default=False),
    ] = None,
    focus: Annotated[
        bool, typer.Option("--focus", help="Choose how regions of prompts are found, beside the mode in OUT.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]KIND:ROOT[:SPLIT]", help="More data with masks. Repeatable."),
    ] = None,
    larger: Annotated[
        bool, typer.Option("--larger", help="With --focus: also regions of 1.5 times the trained side, which cost 2.25 times.")
    ] = False,
    slopes: Annotated[
        str | None, typer.Option(metavar="X,X", help="With --unlabelled: slopes to try, by default 0,0.1.", show_default=False)
    ] = None,
    mask_values: MaskValues = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the photographs drawn, and of the queries looked at.")] = 0,
    device: Device = "auto",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the mode goes.")] = Path("mode.json"),
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --unlabelled: the plot; OUT with .png.", show_default=False)
    ] = None,
    test_split: Annotated[
        bool, typer.Option("--yes-this-is-the-test-split", help="Choose on a test split all the same.")
    ] = False,
) -> None:
    """Choose slope, strength and positions for a model on your kind of photographs.

    With KIND and ROOT: by mean IoU on a training or validation split, prompts being boxes and points of the ground truth;
    with --focus the context, side and rule for clicks of regions, instead of the correction.
    With --unlabelled FOLDER: by how close attention stays to that at the trained size; no mask is needed.
    """
    if (unlabelled is None) == (kind is None or root is None) or (unlabelled is not None and kind is not None):
        raise typer.BadParameter("give KIND and ROOT of a data set with masks, or --unlabelled FOLDER")
    if unlabelled is not None and (mask_values is not None or split is not None):
        raise typer.BadParameter("--mask-values and --split go with KIND and ROOT: --unlabelled takes a folder of photographs")
    if unlabelled is not None and focus:
        raise typer.BadParameter("--focus needs masks: give KIND and ROOT")
    if larger and not focus:
        raise typer.BadParameter("--larger goes with --focus")
    if unlabelled is not None and also:
        raise typer.BadParameter("--also needs masks: give KIND and ROOT")
    if unlabelled is None and (slopes is not None or plot is not None):
        raise typer.BadParameter("--slopes and --plot go with --unlabelled")
    long_sides = parse_list("--sizes", sizes, int, "512,1024")
    slope_values = parse_list("--slopes", slopes, float, "0,0.1") if slopes is not None else None

    with one_line_errors():
        from basam.cli.calibrate_work import CalibrationJob

        console.report_device(device)
        job = CalibrationJob(model, device, long_sides, seed, out, max_pixels)
        if unlabelled is not None:
            whole = job.without_masks(unlabelled, slope_values, count, plot or out.with_suffix(".png"))
        else:
            assert kind is not None
            assert root is not None
            sources = [Source(kind, root, split or "train", max_pixels=max_pixels)]
            sources += [Source.parse(text, max_pixels) for text in also or []]
            if focus:
                whole = job.focus_with_masks(sources, count, test_split, mask_values, larger)
            else:
                whole = job.with_masks(sources, count, test_split, mask_values)
    console.say(f"wrote {out}")
    if not whole:
        raise typer.Exit(console.SOME_FAILED)
