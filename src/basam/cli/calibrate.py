"""`basam calibrate`: choose the correction for a model and a kind of photograph, and write it to `mode.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import one_line_errors
from basam.cli.options import Device, MaskValues, MaxPixels, ModelName, parse_list
from basam.files import MAX_PIXELS
from basam.lab.data import KINDS, Source


def calibrate(
    kind: Annotated[str, typer.Argument(help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.", show_default=False)],
    root: Annotated[Path | None, typer.Argument(help="Its folder, as downloaded.", show_default=False)] = None,
    split: Annotated[str, typer.Option(help="A training or validation split.")] = "train",
    model: ModelName = "nano",
    sizes: Annotated[str, typer.Option(metavar="N,N", help="Long sides in pixels to calibrate for.")] = "1024",
    max_pixels: MaxPixels = MAX_PIXELS,
    count: Annotated[int, typer.Option(min=2, help="Photographs per data set at most.")] = 30,
    focus: Annotated[
        bool, typer.Option("--focus", help="Choose how crops around prompts are made, and add it to the mode in OUT.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]KIND:ROOT[:SPLIT]", help="Another data set. Repeatable."),
    ] = None,
    larger: Annotated[
        bool, typer.Option("--larger", help="With --focus: also crops of 1.5 times the training resolution.")
    ] = False,
    mask_values: MaskValues = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed for the photographs drawn.")] = 0,
    device: Device = "auto",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Mode file to write.")] = Path("mode.json"),
    test_split: Annotated[
        bool, typer.Option("--yes-this-is-the-test-split", help="Allow calibrating on a test split.")
    ] = False,
) -> None:
    """Choose slope, strength and positions for a model on your kind of photographs.

    The mode with the highest mean IoU on a training or validation split wins; prompts are boxes and points from the ground
    truth. With --focus, the context, side and click rule of crops are chosen instead of the correction.
    """
    if root is None:
        raise typer.BadParameter(
            f"calibration needs masks: give KIND and ROOT, such as `basam calibrate folder {kind}` with images/ and masks/ in "
            f"{kind}. Without masks, leave --mode out: the model's own mode is used"
        )
    if larger and not focus:
        raise typer.BadParameter("--larger needs --focus")
    long_sides = parse_list("--sizes", sizes, int, "512,1024")

    with one_line_errors():
        from basam.model import check_model_name

        check_model_name(model)
        sources = [Source(kind, root, split, max_pixels=max_pixels)]
        sources += [Source.parse(text, max_pixels) for text in also or []]
        from basam.cli.calibrate_work import CalibrationJob

        console.report_device(device)
        job = CalibrationJob(model, device, long_sides, count, seed, out)
        whole = job.focus(sources, test_split, mask_values, larger) if focus else job.mode(sources, test_split, mask_values)
    console.say(f"wrote {out}")
    if not whole:
        raise typer.Exit(console.SOME_FAILED)
