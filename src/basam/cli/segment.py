"""`basam segment`: photographs and prompts -> masks and overlays in a folder, and a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from basam.batch import SegmentSettings
from basam.cli.console import one_line_errors
from basam.cli.from_settings import settings_of, with_options
from basam.cli.many_options import PhotoOptions, takes_photos
from basam.cli.options import ReachName
from basam.cli.segment_options import mode_changes, parse_prompts


@takes_photos
@with_options(SegmentSettings)
def segment(
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
    plain: Annotated[bool, typer.Option("--plain", rich_help_panel="Model", help="Short for --method plain.")] = False,
    scaling: Annotated[
        Literal["log", "none"] | None,
        typer.Option(rich_help_panel="Model", help="Whether q.k is scaled by lambda = ln n / ln n0.", show_default=False),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(rich_help_panel="Model", help="Share of the correction that is applied, 0 to 1.", show_default=False),
    ] = None,
    slope: Annotated[
        float | None,
        typer.Option(rich_help_panel="Model", help="Slope of the bias-mode mask, logits per patch.", show_default=False),
    ] = None,
    aspect: Annotated[
        Literal["axes", "square"] | None,
        typer.Option(
            rich_help_panel="Model", help="Positions normalised per axis or by the long side.", show_default="the model's own"
        ),
    ] = None,
    reach: ReachName = None,
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
    options = PhotoOptions.of(given)
    prompts = parse_prompts(point, box)
    if plain and method == "resize":
        raise typer.BadParameter("--method resize is plain SAM already; give one of them", param_hint="--plain")
    uncorrected = plain or method != "basam"
    correction = {"scaling": scaling, "strength": strength, "slope": slope, "aspect": aspect}
    changes = mode_changes(uncorrected, reach=reach, **correction)
    if method == "resize" and (given["focus"] or options.side != "auto"):
        raise typer.BadParameter("resize uses the training resolution, without --focus and --long-side", param_hint="--method")
    options.check(plain=uncorrected, photos_needed=prompts_from is None)
    if prompts_from is not None and (prompts or len(options.photos or ()) > 1):
        raise typer.BadParameter("excludes --point and --box, and takes one folder at most", param_hint="--prompts-from")
    if unlisted and not (prompts_from and options.photos):
        raise typer.BadParameter("needs --prompts-from and the folder PHOTOS", param_hint="--unlisted")
    if images_json is not None and prompts_from is None:
        raise typer.BadParameter("needs --prompts-from", param_hint="--images-json")
    with one_line_errors(resumes=True):
        from basam.cli.many import segment_all
        from basam.cli.summaries import PlanSummary, PromptSummary

        settings: SegmentSettings = settings_of(
            SegmentSettings,
            given,
            **options.settings(),
            uncorrected=uncorrected,
            changes=changes,
            resize=method == "resize",
        )
        status = segment_all(
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
