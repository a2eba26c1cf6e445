"""`basam segment`: photographs and prompts -> masks and overlays in a folder, and a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basam.cli.console import one_line_errors
from basam.cli.many_options import (
    DEFAULT_KINDS,
    AsJson,
    DType,
    EncoderType,
    FillHoles,
    Largest,
    MinArea,
    Out,
    Overwrite,
    PhotoWords,
    Quiet,
    RayAddress,
    RayWorkers,
    ShardText,
    Tolerance,
    Verbose,
    Write,
    check_mode_switches,
    check_words,
    parse_long_side,
)
from basam.cli.options import AdapterName, Device, MaxPixels, MaxSide, ModeFile, ModelName, split_names
from basam.cli.segment_options import Aspect, Method, Positions, Scaling, parse_prompts
from basam.files import MAX_PIXELS
from basam.predict import MAX_SIDE


def segment(
    photos: PhotoWords = None,
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
            help="Prompts of many photos: JSON lines, CSV, boxes of COCO, a session of basam web; PHOTOS: folder of the names.",
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
    dtype: EncoderType = DType.float32,
    device: Device = "auto",
    write: Write = DEFAULT_KINDS,
    tolerance: Tolerance = 1.0,
    min_area: MinArea = 0,
    fill_holes: FillHoles = 0,
    largest: Largest = False,
    out: Out = Path("out"),
    overwrite: Overwrite = False,
    shard: ShardText = None,
    ray: RayAddress = None,
    ray_workers: RayWorkers = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print views, tokens, memory and about the time; write nothing.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
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
    switches = {"scaling": scaling, "strength": strength, "slope": slope, "positions": positions, "aspect": aspect}
    changes = check_mode_switches(uncorrected, switches, mode)
    if method is Method.resize and (focus or side != "auto"):
        raise typer.BadParameter("resize has the trained size: it takes no --focus and no --long-side", param_hint="--method")
    if prompts_from is None:
        check_words(photos, shard, ray, ray_workers, quiet, verbose)
    elif prompts or len(photos or ()) > 1:
        raise typer.BadParameter("goes with no --point and no --box, and with one folder at most", param_hint="--prompts-from")
    else:
        check_words([str(prompts_from)], shard, ray, ray_workers, quiet, verbose)
    if images_json is not None and prompts_from is None:
        raise typer.BadParameter("goes with --prompts-from", param_hint="--images-json")
    with one_line_errors(resumes=True):
        from basam.cli.many import Told, Work, do
        from basam.cli.summaries import Forecasts, PromptSummary
        from basam.distributed import SegmentSettings
        from basam.masks import Cleaning
        from basam.predict.writers import check_kinds

        settings = SegmentSettings(
            model=model,
            adapter=adapter,
            device=device,
            dtype=dtype.value,
            uncorrected=uncorrected,
            mode_file=mode,
            changes=changes,
            long_side=side,
            max_side=max_side,
            max_pixels=max_pixels,
            kinds=check_kinds(split_names("--write", write)),
            cleaning=Cleaning(fill_holes, min_area, largest),
            tolerance=tolerance,
            overwrite=overwrite,
            resize=method is Method.resize,
            focus=focus,
            focus_context=focus_context,
            focus_side=focus_side,
            multimask=multimask,
        )
        work = Work(settings, out, photos or [], prompts, prompts_from, images_json, shard, ray, ray_workers, dry_run)
        status = do(work, Forecasts() if dry_run else PromptSummary(), Told(as_json, quiet, verbose))
    if status:
        raise typer.Exit(status)
