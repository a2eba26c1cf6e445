"""`basam everything`: photographs -> masks of everything in them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from basam.batch import EverythingSettings
from basam.cli.console import one_line_errors
from basam.cli.many_options import PhotoOptions, takes_photos
from basam.cli.options import ReachName
from basam.cli.raster_options import Bands, Geo, RasterOverlap, RasterWindowSide, raster_settings
from basam.cli.segment_options import mode_changes
from basam.predict.automatic import AutomaticSettings


@takes_photos
def everything(
    points_per_side: Annotated[
        int | None,
        typer.Option(min=1, help="Points along each side.", show_default=str(AutomaticSettings.points_per_side)),
    ] = None,
    spacing: Annotated[
        float | None, typer.Option(min=1, help="Pixels between points, instead of points per side.", show_default=False)
    ] = AutomaticSettings.spacing,
    points_per_batch: Annotated[
        int, typer.Option(min=1, help="Points that the decoder takes together, at most.")
    ] = EverythingSettings.points_per_batch,
    iou: Annotated[
        float, typer.Option(max=1, help="Masks stay whose predicted IoU is above this.")
    ] = AutomaticSettings.pred_iou_thresh,
    stability: Annotated[
        float, typer.Option(max=1, help="Masks stay whose stability is at least this.")
    ] = AutomaticSettings.stability_score_thresh,
    stability_offset: Annotated[
        float, typer.Option(min=0, help="Of the stability, in logits.")
    ] = AutomaticSettings.stability_score_offset,
    nms: Annotated[
        float, typer.Option(min=0, max=1, help="Of two masks whose boxes have a larger IoU one stays.")
    ] = AutomaticSettings.box_nms_thresh,
    mask_nms: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="And of two whose masks have a larger IoU.", show_default="--nms with --crops"),
    ] = AutomaticSettings.mask_nms_thresh,
    containment: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="And of two that share more than this of the smaller one.", show_default=False),
    ] = AutomaticSettings.containment_thresh,
    crops: Annotated[
        int, typer.Option(min=0, max=10, help="Layers of crops, of 4, 16, ... each, beside the whole photo.")
    ] = AutomaticSettings.crop_n_layers,
    crop_nms: Annotated[float, typer.Option(min=0, max=1, help="--nms between crops.")] = AutomaticSettings.crop_nms_thresh,
    crop_overlap: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of the short side.")
    ] = AutomaticSettings.crop_overlap_ratio,
    pyramid: Annotated[
        bool, typer.Option("--pyramid", help="Encode the photo once, at several sizes, instead of crops.")
    ] = AutomaticSettings.pyramid,
    crop_points_downscale: Annotated[
        int, typer.Option(min=1, help="In layer i of crops there are by this to the power of i fewer points along a side.")
    ] = AutomaticSettings.crop_n_points_downscale_factor,
    plain: Annotated[bool, typer.Option("--plain", help="Uncorrected.")] = EverythingSettings.uncorrected,
    reach: ReachName = None,
    geo: Geo = None,
    window: RasterWindowSide = None,
    overlap: RasterOverlap = None,
    bands: Bands = None,
    **shared: Any,
) -> None:
    """Find everything in photographs: the model is prompted with a grid of points, and the best mask of each object stays.

    Thresholds are those of Meta's generator, made for a large SAM; a small model such as nano seldom reaches them. For every
    photo OUT gets the files that --write names, and records.jsonl lists what was written: the same command again resumes, a
    file that basam did not write is never overwritten. A photo without objects is done, too, and its files are empty. A photo
    that cannot be read is named, the others are done, and the exit status is 1 (2 where none could be done).

    A TIFF that says where on the earth it lies is read window by window, however large it is, with the points in each window;
    labels and polygons are written in its coordinate reference system (the extra geo). With --window or --overlap, so are
    photographs: small objects of a large photo are found at its native resolution, and each is one across windows.
    """
    if points_per_side is not None and spacing is not None:
        raise typer.BadParameter("takes the place of --points-per-side; give one of them", param_hint="--spacing")
    options = PhotoOptions(**shared)
    options.check(plain=plain)
    with one_line_errors(resumes=True):
        from basam.cli.many import segment_all
        from basam.cli.summaries import EverythingSummary

        automatic = AutomaticSettings(
            points_per_side=None if spacing is not None else points_per_side or AutomaticSettings.points_per_side,
            spacing=spacing,
            pred_iou_thresh=iou,
            stability_score_thresh=stability,
            stability_score_offset=stability_offset,
            box_nms_thresh=nms,
            # Boxes of an object and of its part in a crop differ more than the masks do.
            mask_nms_thresh=nms if mask_nms is None and crops else mask_nms,
            containment_thresh=containment,
            crop_n_layers=crops,
            crop_nms_thresh=crop_nms,
            crop_overlap_ratio=crop_overlap,
            pyramid=pyramid,
            crop_n_points_downscale_factor=crop_points_downscale,
        )
        settings = EverythingSettings(
            **options.settings(other_kinds=("gpkg",)),
            uncorrected=plain,
            changes=mode_changes(plain, reach=reach),
            automatic=automatic,
            points_per_batch=points_per_batch,
            rasters=raster_settings(geo, window, overlap, bands, options.write),
        )
        status = segment_all(options, settings, EverythingSummary(bar_of(iou, stability, options.min_area)))
    if status:
        raise typer.Exit(status)


def bar_of(iou: float, stability: float, min_area: int) -> str:
    """What a mask has to reach, in words."""
    if not min_area:
        return f"--iou {iou:g} and --stability {stability:g}"
    return f"--iou {iou:g}, --stability {stability:g} and --min-area {min_area}"
