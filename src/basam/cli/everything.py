"""`basam everything`: photographs -> masks of everything in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from basam.batch import EverythingSettings
from basam.cli.console import one_line_errors
from basam.cli.from_settings import settings_of, with_options
from basam.cli.many_options import PhotoOptions, takes_photos
from basam.cli.options import ReachName
from basam.cli.segment_options import mode_changes
from basam.predict.automatic import AutomaticSettings


@takes_photos
@with_options(EverythingSettings)
def everything(
    points_per_side: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Points along each side.",
            rich_help_panel="Points",
            show_default=str(AutomaticSettings.points_per_side),
        ),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Uncorrected.", rich_help_panel="Model")] = False,
    reach: ReachName = None,
    **given: Any,
) -> None:
    """Find everything in photographs: the model is prompted with a grid of points, and the best mask of each object stays.

    Example: basam everything photos --write overlay,csv --min-area 100 --out objects

    Thresholds are those of Meta's generator, made for a large SAM; a small model such as nano seldom reaches them. For every
    photo OUT gets the files that --write names, and records.jsonl lists what was written: the same command again resumes, a
    file that basam did not write is never overwritten. A photo without objects is done, too, and its files are empty. A photo
    that cannot be read is named, the others are done, and the exit status is 1 (2 where none could be done).

    A TIFF that says where on the earth it lies is read window by window, however large it is, with the points in each window;
    labels and polygons are written in its coordinate reference system (the extra geo). With --window or --overlap, so are
    photographs: small objects of a large photo are found at its native resolution, and each is one across windows.
    """
    if points_per_side is not None and given["spacing"] is not None:
        raise typer.BadParameter("takes the place of --points-per-side; give one of them", param_hint="--spacing")
    if given["wanted"] is False and given["bands"] is not None:
        raise typer.BadParameter("photographs take no --bands", param_hint="--no-geo")
    options = PhotoOptions.of(given)
    options.check(plain=plain)
    if given["mask_nms_thresh"] is None and given["crop_n_layers"]:
        # Boxes of an object and of its part in a crop differ more than the masks do.
        given["mask_nms_thresh"] = given["box_nms_thresh"]
    with one_line_errors(resumes=True):
        from basam.cli.many import segment_all
        from basam.cli.summaries import EverythingSummary

        settings: EverythingSettings = settings_of(
            EverythingSettings,
            given,
            **options.settings(other_kinds=("gpkg",)),
            uncorrected=plain,
            changes=mode_changes(plain, reach=reach),
        )
        automatic, kinds = settings.automatic, options.kinds
        points = None if automatic.spacing is not None else points_per_side or automatic.points_per_side
        settings = replace(
            settings,
            automatic=replace(automatic, points_per_side=points),
            rasters=replace(settings.rasters, kinds=kinds),
        )
        bar = bar_of(automatic.pred_iou_thresh, automatic.stability_score_thresh, options.min_area)
        status = segment_all(options, settings, EverythingSummary(bar))
    if status:
        raise typer.Exit(status)


def bar_of(iou: float, stability: float, min_area: int) -> str:
    """What a mask has to reach, in words."""
    if not min_area:
        return f"--iou {iou:g} and --stability {stability:g}"
    return f"--iou {iou:g}, --stability {stability:g} and --min-area {min_area}"
