"""`basam segment`: photographs and prompts -> masks and overlays in a folder, and a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from basam.batch import SegmentSettings
from basam.cli.console import one_line_errors
from basam.cli.from_settings import settings_of, with_options
from basam.cli.options import Photos
from basam.cli.prompt_options import parse_prompts
from basam.cli.run_options import RunOptions, check_photos


@with_options(SegmentSettings, RunOptions)
def segment(
    photos: Photos = None,
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y[,LABEL]",
            rich_help_panel="Prompts",
            help="A point in pixels; label 1 (default) inside the object, 0 outside. Repeatable.",
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X0,Y0,X1,Y1", rich_help_panel="Prompts", help="A box in pixels; one mask per box. Repeatable."),
    ] = None,
    prompts_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel="Prompts",
            help="Prompts of many photos: JSON lines, CSV, COCO boxes, a session of basam web; PHOTOS: folder of the names.",
            show_default=False,
        ),
    ] = None,
    images_json: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel="Prompts", help="File with the image names of COCO detections.", show_default=False
        ),
    ] = None,
    unlisted: Annotated[
        bool,
        typer.Option(
            "--unlisted",
            rich_help_panel="Prompts",
            help="With --prompts-from FILE, also segment photos in PHOTOS without a row, as a whole.",
        ),
    ] = False,
    method: Annotated[
        Literal["resize", "plain", "basam"],
        typer.Option(
            rich_help_panel="Model",
            help="resize: squeezed and padded as in training; plain: uncorrected; basam: corrected.",
        ),
    ] = "basam",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print view and tokens per prompt; encode and write nothing.")
    ] = False,
    **given: Any,
) -> None:
    """Segment photographs at native resolution.

    Example: basam segment photo.jpg --box 40,60,300,420 --out masks

    Without a prompt the box is the whole photo. For every photo OUT gets NAME_mask.png (several prompts: NAME_mask_0.png, ...)
    and NAME_overlay.jpg, and records.jsonl lists what was written. Running the command again resumes. Files that basam did not
    write are never overwritten. A photo that cannot be read is reported, the others are done, and the exit status is 1 (2 if
    none could be done).
    """
    prompts = parse_prompts(point, box)
    if given["uncorrected"] and method == "resize":
        raise typer.BadParameter("--method resize is plain SAM already; give one of them", param_hint="--plain")
    given["uncorrected"] |= method != "basam"
    if method == "resize" and (given["focus"] or given["long_side"] != "auto"):
        raise typer.BadParameter("resize uses the training resolution, without --focus and --long-side", param_hint="--method")
    options: RunOptions = settings_of(RunOptions, given)
    if prompts_from is None:
        check_photos(photos)
    if prompts_from is not None and (prompts or len(photos or ()) > 1):
        raise typer.BadParameter("excludes --point and --box, and takes one folder at most", param_hint="--prompts-from")
    if unlisted and not (prompts_from and photos):
        raise typer.BadParameter("needs --prompts-from and the folder PHOTOS", param_hint="--unlisted")
    if images_json is not None and prompts_from is None:
        raise typer.BadParameter("needs --prompts-from", param_hint="--images-json")
    with one_line_errors(resumes=True):
        from basam.cli.many import segment_all
        from basam.cli.summaries import PlanSummary, PromptSummary

        settings: SegmentSettings = settings_of(SegmentSettings, given, resize=method == "resize")
        status = segment_all(
            photos or [],
            options,
            settings,
            PlanSummary() if dry_run else PromptSummary(verbose=options.verbose),
            prompts=prompts,
            prompts_from=prompts_from,
            images_json=images_json,
            unlisted=unlisted,
            dry_run=dry_run,
        )
    if status:
        raise typer.Exit(status)
