"""`basam segment`: photographs and prompts -> masks and overlays in a folder, and a table."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import one_line_errors
from basam.cli.options import AdapterName, Device, MaxPixels, MaxSide, ModeFile, ModelName, pixels_of_text
from basam.cli.outputs import DEFAULT_KINDS, FillHoles, Largest, MinArea, Outputs, Tolerance, Write
from basam.errors import InputError
from basam.files import MAX_PIXELS
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


def parse_long_side(text: str) -> int | str | None:
    if text in ("auto", "native"):
        return None if text == "native" else text
    side = pixels_of_text(text)
    if side is None:
        raise typer.BadParameter(f"{text!r}: 'auto', 'native' or a number of pixels is needed", param_hint="--long-side")
    return side


class Method(str, Enum):
    resize = "resize"
    plain = "plain"
    basam = "basam"


def named(photo: Path, error: str | None) -> str:
    """An error with the photo's name, once."""
    return str(error) if str(error).startswith(str(photo)) else f"{photo}: {error}"


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
    focus: Annotated[
        bool | None,
        typer.Option(
            "--focus/--no-focus",
            help="Encode the region that each prompt is about, instead of the whole photo.",
            show_default="for a box on a photo larger than trained",
        ),
    ] = None,
    focus_context: Annotated[
        float | None, typer.Option(help="Side of the region as a multiple of the object's.", show_default="the model's, else 2")
    ] = None,
    focus_side: Annotated[
        int | None, typer.Option(help="Side of the region in model pixels.", show_default="the trained long side")
    ] = None,
    long_side: Annotated[
        str,
        typer.Option(metavar="auto|native|N", help="Of the whole photo; auto: up to 4 times the trained tokens."),
    ] = "auto",
    max_side: MaxSide = MAX_SIDE,
    max_pixels: MaxPixels = MAX_PIXELS,
    method: Annotated[
        Method, typer.Option(help="resize: squeezed and padded as SAM was trained; plain: uncorrected; basam: corrected.")
    ] = Method.basam,
    plain: Annotated[bool, typer.Option("--plain", help="Short for --method plain.")] = False,
    multimask: Annotated[bool, typer.Option("--multimask", help="The best of three masks by predicted IoU.")] = False,
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
    device: Device = "auto",
    write: Write = DEFAULT_KINDS,
    tolerance: Tolerance = 1.0,
    min_area: MinArea = 0,
    fill_holes: FillHoles = 0,
    largest: Largest = False,
    out: Annotated[Path, typer.Option(help="Folder for masks and overlays; made where absent.")] = Path("out"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do photos again that are done already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of the table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False,
) -> None:
    """Segment photographs at their own resolution.

    Without a prompt the whole photo is the box. For every photo OUT gets NAME_mask.png (several boxes: NAME_mask_0.png, ...)
    and NAME_overlay.jpg, and records.jsonl tells what was written for which photo: the same command again resumes, a file
    that basam did not write is never overwritten. A photo that cannot be read is named, the others are done, and the exit
    status is 1 (2 where none could be done).
    """
    points = [parse_numbers("--point", text, (2, 3)) for text in point or []]
    boxes = [parse_numbers("--box", text, (4,)) for text in box or []]
    side = parse_long_side(long_side)
    if points and len(boxes) > 1:
        raise typer.BadParameter("points go with one box or none", param_hint="--point")
    if plain and method is Method.resize:
        raise typer.BadParameter("--method resize is plain SAM already; give one of them", param_hint="--plain")
    uncorrected = plain or method is not Method.basam
    switches = {"scaling": scaling, "strength": strength, "slope": slope, "positions": positions, "aspect": aspect}
    changes = check_mode_switches(uncorrected, switches, mode)
    if method is Method.resize and (focus or side != "auto"):
        raise typer.BadParameter("resize has the trained size: it takes no --focus and no --long-side", param_hint="--method")
    with one_line_errors(resumes=True):
        import torch

        from basam.cli.segment_table import json_list, show
        from basam.cli.segment_work import SegmentJob, run
        from basam.files import ResultFolder
        from basam.masks import Cleaning
        from basam.model import model_fingerprint, read_mode_file
        from basam.predict import Predictor

        folder = ResultFolder(out)
        outputs = Outputs.of_options(write, Cleaning(fill_holes, min_area, largest), tolerance, out)
        file = None if mode is None else read_mode_file(mode)
        given = BiasMode.off() if uncorrected else None if file is None else file.mode
        predictor = Predictor.from_pretrained(
            model, given, adapter=adapter, dtype=getattr(torch, dtype.value), device=device, max_side=max_side
        )
        if slope is not None and predictor.mode.slopes == "learned":
            raise InputError(f"--slope {slope}: the adapter has learned slopes, which take its place; --strength weakens them")
        weights = model_fingerprint(predictor.model)
        if file is not None and file.fingerprint not in (None, weights):
            console.note(f"note: {mode} was found for other weights, {file.fingerprint[:12]}; these are {weights[:12]}")
        # A switch changes its own field of the mode in force: that of --mode, of the adapter or of the model.
        predictor.mode = replace(predictor.mode, **changes)
        if method is Method.resize:
            side, focus = predictor.attachment.geometry.image_size, False
        context = predictor.focus.context if focus_context is None else focus_context
        region = replace(predictor.focus, context=context, side=predictor.focus.side if focus_side is None else focus_side)
        job = SegmentJob(
            predictor=predictor,
            folder=folder,
            outputs=outputs,
            points=points,
            boxes=boxes,
            long_side=side,
            square=method is Method.resize,
            focus=focus,
            focus_settings=region,
            multimask=multimask,
            settings={
                "model": weights,
                "mode": asdict(predictor.mode),
                "long side": side,
                "max side": max_side,
                "square": method is Method.resize,
                "focus": [focus, region.to_dict()],
                "multimask": multimask,
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
    failures = [outcome for outcome in outcomes if outcome.error is not None]
    before = sum(outcome.before for outcome in outcomes)
    if rows and not as_json and not quiet:
        show(rows, len(photos) - len(failures))
    if before and not quiet:
        console.note(
            f"note: {before} of {len(photos)} photos were done already with the same prompts; --overwrite repeats them"
        )
    console.failure(*(f"failed: {named(outcome.photo, outcome.error)}" for outcome in failures))
    if failures:
        raise typer.Exit(console.SOME_FAILED if rows else console.NOTHING_DONE)
