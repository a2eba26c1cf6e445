"""`basam segment`: photographs and prompts -> masks and overlays in a folder, and a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basam.cli.console import one_line_errors
from basam.cli.options import AdapterName, Device, MaxPixels, MaxSide, ModeFile, ModelName
from basam.cli.segment_options import (
    DType,
    Method,
    Positions,
    Scaling,
    check_mode_switches,
    parse_long_side,
    parse_prompts,
)
from basam.files import MAX_PIXELS
from basam.predict import MAX_SIDE


def segment(
    photos: Annotated[
        list[str] | None,
        typer.Argument(help="Photographs, folders of them, patterns, or - for names from standard input.", show_default=False),
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y[,LABEL]", help="A point in pixels; label 1 (default) inside the object, 0 outside. Repeatable."
        ),
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(metavar="X0,Y0,X1,Y1", help="A box in pixels; one mask per box. Repeatable.")
    ] = None,
    prompts_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Prompts of many photos: JSON lines, CSV or COCO detections; PHOTOS is then the folder of their names.",
            show_default=False,
        ),
    ] = None,
    images_json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the images of COCO detections.", show_default=False)
    ] = None,
    model: ModelName = "nano",
    adapter: AdapterName = None,
    focus: Annotated[
        bool | None,
        typer.Option(
            "--focus/--no-focus",
            help="Encode the region that each prompt is about, instead of the whole photo.",
            show_default="where there is a prompt and the photo is larger than trained",
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
    mode: ModeFile = None,
    dtype: Annotated[DType, typer.Option(help="Of the image encoder; the rest keeps float32.")] = DType.float32,
    device: Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder for masks and overlays; made where absent.")] = Path("out"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do photos again that are done already.")] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="The I-th of N parts of the photos.", show_default="RANK, WORLD_SIZE of a launcher"),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="local|ADDRESS", help="On a Ray cluster, or one started here.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print views, tokens, memory and about the time; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of the table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell of every photo as it is done.")] = False,
) -> None:
    """Segment photographs at their own resolution.

    Without a prompt the whole photo is the box. For every photo OUT gets NAME_mask.png (several prompts: NAME_mask_0.png, ...)
    and NAME_overlay.jpg, and records.jsonl tells what was written for which photo: the same command again resumes, a file
    that basam did not write is never overwritten. A photo that cannot be read is named, the others are done, and the exit
    status is 1 (2 where none could be done).
    """
    prompts = parse_prompts(point, box)
    side = parse_long_side(long_side)
    if plain and method is Method.resize:
        raise typer.BadParameter("--method resize is plain SAM already; give one of them", param_hint="--plain")
    uncorrected = plain or method is not Method.basam
    switches = {"scaling": scaling, "strength": strength, "slope": slope, "positions": positions}
    changes = check_mode_switches(uncorrected, switches, mode)
    if method is Method.resize and (focus or side != "auto"):
        raise typer.BadParameter("resize has the trained size: it takes no --focus and no --long-side", param_hint="--method")
    if not photos and prompts_from is None:
        raise typer.BadParameter("photographs, or --prompts-from, are needed", param_hint="PHOTOS")
    if prompts_from is not None and (prompts or len(photos or ()) > 1):
        raise typer.BadParameter("goes with no --point and no --box, and with one folder at most", param_hint="--prompts-from")
    if images_json is not None and prompts_from is None:
        raise typer.BadParameter("goes with --prompts-from", param_hint="--images-json")
    if ray is not None and shard is not None:
        raise typer.BadParameter("Ray hands the photos out itself: it takes no --shard", param_hint="--ray")
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose contradict each other", param_hint="--verbose")
    with one_line_errors(resumes=True):
        from basam.cli.segment_work import Work, do
        from basam.distributed import SegmentSettings

        settings = SegmentSettings(
            model=model,
            adapter=adapter,
            device=device,
            dtype=dtype.value,
            uncorrected=uncorrected,
            mode_file=mode,
            changes=changes,
            long_side=side,
            resize=method is Method.resize,
            focus=focus,
            focus_context=focus_context,
            focus_side=focus_side,
            multimask=multimask,
            max_side=max_side,
            max_pixels=max_pixels,
            overwrite=overwrite,
        )
        work = Work(settings, out, photos or [], prompts, prompts_from, images_json, shard, ray, dry_run)
        status = do(work, as_json=as_json, quiet=quiet, verbose=verbose)
    if status:
        raise typer.Exit(status)
