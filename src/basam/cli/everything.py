"""`basam everything`: photographs -> all masks in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from basam.batch import EverythingSettings
from basam.cli.console import one_line_errors
from basam.cli.from_settings import settings_of, with_options
from basam.cli.options import Photos
from basam.cli.run_options import RunOptions, check_photos
from basam.predict.automatic import AutomaticSettings


@with_options(EverythingSettings, RunOptions)
def everything(
    photos: Photos = None,
    points_per_side: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Points along every side.",
            rich_help_panel="Points",
            show_default=str(AutomaticSettings.points_per_side),
        ),
    ] = None,
    **given: Any,
) -> None:
    """Segment everything in photographs: the model is prompted with a grid of points, and duplicates and poor masks are
    dropped.

    Example: basam everything photos --write overlay,csv --min-area 100 --out objects

    Thresholds are those of Meta's generator, made for a large SAM; a small model such as nano rarely reaches them. For every
    photo OUT gets the files that --write names, and records.jsonl lists what was written. Running the command again resumes.
    Files that basam did not write are never overwritten. A photo without any mask counts as done; its files are empty. A photo
    that cannot be read is reported, the others are done, and the exit status is 1 (2 if none could be done).

    A TIFF with coordinates is segmented window by window, however large it is, with the grid of points in every window;
    labels and polygons are in its coordinate reference system (the extra geo). With --window or --overlap photographs are too:
    small objects of a large photo are segmented at native resolution, and united across windows.
    """
    if points_per_side is not None and given["spacing"] is not None:
        raise typer.BadParameter("replaces --points-per-side; give one of them", param_hint="--spacing")
    if given["wanted"] is False and given["bands"] is not None:
        raise typer.BadParameter("--bands is for rasters", param_hint="--no-geo")
    check_photos(photos)
    options: RunOptions = settings_of(RunOptions, given)
    if given["mask_nms_thresh"] is None and given["crop_n_layers"]:
        # The boxes of an object and of its part in a crop differ more than their masks.
        given["mask_nms_thresh"] = given["box_nms_thresh"]
    with one_line_errors(resumes=True):
        from basam.cli.many import segment_all
        from basam.cli.summaries import EverythingSummary

        settings: EverythingSettings = settings_of(EverythingSettings, given)
        automatic = settings.automatic
        points = None if automatic.spacing is not None else points_per_side or automatic.points_per_side
        settings = replace(settings, automatic=replace(automatic, points_per_side=points))
        thresholds = thresholds_in_words(
            automatic.pred_iou_thresh, automatic.stability_score_thresh, settings.cleaning.min_area
        )
        status = segment_all(photos or [], options, settings, EverythingSummary(thresholds))
    if status:
        raise typer.Exit(status)


def thresholds_in_words(iou: float, stability: float, min_area: int) -> str:
    """The thresholds that a mask must pass."""
    if not min_area:
        return f"--iou {iou:g} and --stability {stability:g}"
    return f"--iou {iou:g}, --stability {stability:g} and --min-area {min_area}"
