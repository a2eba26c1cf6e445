"""`basam segment`: photographs and prompts -> masks and overlays in a folder, and a table."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import one_line_errors
from basam.cli.options import AdapterName, Device, MaxSide, ModeFile, ModelName
from basam.method import BiasMode
from basam.predict import MAX_SIDE


class Positions(str, Enum):
    interpolate = "interpolate"
    extend = "extend"


class Aspect(str, Enum):
    axes = "axes"
    square = "square"


class Scaling(str, Enum):
    log = "log"
    none = "none"


class DType(str, Enum):
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def parse_numbers(option: str, text: str, counts: tuple[int, ...]) -> list[float]:
    """`1,2,3` as numbers; an error names the option, the text and the form."""
    forms = {"--point": "X,Y or X,Y,LABEL", "--box": "X0,Y0,X1,Y1"}
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise typer.BadParameter(f"{text!r}: {forms[option]} is needed, numbers in pixels of the photo", param_hint=option)
    return values


def parse_long_side(text: str) -> int | None:
    if text == "native":
        return None
    if not text.isdigit() or int(text) < 1:
        raise typer.BadParameter(f"{text!r}: 'native' or a number of pixels is needed", param_hint="--long-side")
    return int(text)


def check_mode_switches(plain: bool, switches: dict[str, Any], mode_file: Path | None) -> dict[str, Any]:
    """The fields of a mode that were given, as `dataclasses.replace` takes them."""
    changes = {name: getattr(value, "value", value) for name, value in switches.items() if value is not None}
    if plain and (changes or mode_file is not None):
        raise typer.BadParameter(
            "plain SAM takes no --strength, --scaling, --slope, --positions, --aspect or --mode", param_hint="--plain"
        )
    return changes


def segment(
    photos: Annotated[list[Path], typer.Argument(help="Photographs.", show_default=False)],
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y[,LABEL]", help="A point in pixels; label 1 (default) inside the object, 0 outside. Repeatable."
        ),
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(metavar="X0,Y0,X1,Y1", help="A box in pixels; one mask per box. Repeatable.")
    ] = None,
    model: ModelName = "nano",
    adapter: AdapterName = None,
    long_side: Annotated[str, typer.Option(metavar="native|N", help="Resize so that the long side has N pixels.")] = "native",
    max_side: MaxSide = MAX_SIDE,
    plain: Annotated[bool, typer.Option("--plain", help="SAM without the correction, for comparison.")] = False,
    scaling: Annotated[
        Scaling | None, typer.Option(help="Whether q.k is scaled by lambda = ln n / ln n0.", show_default=False)
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="Share of the correction that is applied, 0 to 1.", show_default=False)
    ] = None,
    slope: Annotated[
        float | None, typer.Option(help="Slope of the bias-mode mask, logits per patch.", show_default=False)
    ] = None,
    positions: Annotated[
        Positions | None, typer.Option(help="Relative positions beyond the trained range.", show_default=False)
    ] = None,
    aspect: Annotated[
        Aspect | None,
        typer.Option(help="Positions normalised per axis or by the long side.", show_default="the model's own"),
    ] = None,
    mode: ModeFile = None,
    dtype: Annotated[DType, typer.Option(help="Of the image encoder; the rest keeps float32.")] = DType.float32,
    device: Device = "cpu",
    out: Annotated[Path, typer.Option(help="Folder for masks and overlays; made where absent.")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of the table.")] = False,
) -> None:
    """Segment photographs at their own resolution.

    Without a prompt the whole photo is the box. For every photo OUT gets NAME_mask.png (several boxes: NAME_mask_0.png, ...)
    and NAME_overlay.jpg. A photo that cannot be read is named, the others go on, and the exit status is 1 (2 where
    none could be read).
    """
    points = [parse_numbers("--point", text, (2, 3)) for text in point or []]
    boxes = [parse_numbers("--box", text, (4,)) for text in box or []]
    side = parse_long_side(long_side)
    if points and len(boxes) > 1:
        raise typer.BadParameter("points go with one box or none", param_hint="--point")
    switches = {"scaling": scaling, "strength": strength, "slope": slope, "positions": positions, "aspect": aspect}
    changes = check_mode_switches(plain, switches, mode)
    with one_line_errors(side, "--long-side"):
        import torch

        from basam.cli.segment_work import SegmentJob, check_folder, run, table
        from basam.model import read_mode
        from basam.predict import Predictor

        check_folder(out)
        given = BiasMode.off() if plain else None if mode is None else read_mode(mode)
        predictor = Predictor.from_pretrained(
            model, given, adapter=adapter, dtype=getattr(torch, dtype.value), device=device, max_side=max_side
        )
        # A switch changes its own field of the mode in force: that of --mode, of the adapter or of the model.
        predictor.mode = replace(predictor.mode, **changes)
        rows, failures = run(SegmentJob(predictor, points, boxes, side, out), photos)
    if as_json:
        json.dump(rows + failures, sys.stdout, indent=2)
        print()
    elif rows:
        console.show(table(rows))
    console.failure(*(f"failed: {failure['photo']}: {failure['error']}" for failure in failures))
    if failures:
        raise typer.Exit(console.SOME_FAILED if rows else console.NOTHING_DONE)
