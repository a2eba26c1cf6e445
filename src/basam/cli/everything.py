"""`basam everything`: photographs -> masks of everything in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    check_mode_switches,
    check_words,
    parse_long_side,
)
from basam.cli.options import AdapterName, Device, MaxPixels, MaxSide, ModeFile, ModelName, split_names
from basam.cli.scene_options import Bands, Geo, SceneOverlap, SceneWindowSide, WriteAny, scene_settings
from basam.files import MAX_PIXELS
from basam.predict import MAX_SIDE


def everything(
    photos: PhotoWords = None,
    model: ModelName = "nano",
    adapter: AdapterName = None,
    points_per_side: Annotated[int | None, typer.Option(min=1, help="Points along each side.", show_default="32")] = None,
    spacing: Annotated[
        float | None, typer.Option(min=1, help="Pixels between points, instead of points per side.", show_default=False)
    ] = None,
    points_per_batch: Annotated[int, typer.Option(min=1, help="Points that are asked together, at most.")] = 64,
    iou: Annotated[float, typer.Option(max=1, help="Masks stay whose predicted IoU is above this.")] = 0.88,
    stability: Annotated[float, typer.Option(max=1, help="Masks stay whose stability is at least this.")] = 0.95,
    stability_offset: Annotated[float, typer.Option(min=0, help="Of the stability, in logits.")] = 1.0,
    nms: Annotated[float, typer.Option(min=0, max=1, help="Of two masks whose boxes have a larger IoU one stays.")] = 0.7,
    mask_nms: Annotated[
        float | None, typer.Option(min=0, max=1, help="And of two whose masks have a larger IoU.", show_default=False)
    ] = None,
    containment: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="And of two that share more than this of the smaller one.", show_default=False),
    ] = None,
    crops: Annotated[int, typer.Option(min=0, max=10, help="Layers of crops, of 4, 16, ... each, asked besides.")] = 0,
    crop_nms: Annotated[float, typer.Option(min=0, max=1, help="--nms between crops.")] = 0.7,
    crop_overlap: Annotated[float, typer.Option(min=0, max=0.99, help="Share of the short side.")] = 512 / 1500,
    long_side: Annotated[
        str,
        typer.Option(
            metavar="auto|native|N",
            help="Of the photo, and of each crop, in model pixels; auto: up to 4 times the trained tokens.",
        ),
    ] = "auto",
    max_side: MaxSide = MAX_SIDE,
    max_pixels: MaxPixels = MAX_PIXELS,
    plain: Annotated[bool, typer.Option("--plain", help="Uncorrected.")] = False,
    mode: ModeFile = None,
    dtype: EncoderType = DType.float32,
    device: Device = "auto",
    geo: Geo = None,
    window: SceneWindowSide = None,
    overlap: SceneOverlap = None,
    bands: Bands = None,
    write: WriteAny = None,
    tolerance: Tolerance = 1.0,
    min_area: MinArea = 0,
    fill_holes: FillHoles = 0,
    largest: Largest = False,
    out: Out = Path("out"),
    overwrite: Overwrite = False,
    shard: ShardText = None,
    ray: RayAddress = None,
    ray_workers: RayWorkers = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find everything in photographs: a grid of points is asked, and the best masks stay, each once.

    Thresholds are those of Meta's generator, made for a large SAM; a small model such as nano seldom reaches them. For every
    photo OUT gets the files that --write names, and records.jsonl tells what was written: the same command again resumes, a
    file that basam did not write is never overwritten. A photo without objects is done, too, and its files are empty. A photo
    that cannot be read is named, the others are done, and the exit status is 1 (2 where none could be done).

    A TIFF that says where on the earth it lies is read window by window, however large it is, with the points in each window;
    labels and polygons are written in its coordinate reference system (the extra geo).
    """
    if points_per_side is not None and spacing is not None:
        raise typer.BadParameter("takes the place of --points-per-side; give one of them", param_hint="--spacing")
    side = parse_long_side(long_side)
    check_mode_switches(plain, {}, mode)
    check_words(photos, shard, ray, ray_workers, quiet, verbose)
    with one_line_errors(resumes=True):
        from basam.cli.many import Told, Work, do
        from basam.cli.summaries import EverythingSummary
        from basam.distributed import EverythingSettings
        from basam.masks import Cleaning
        from basam.predict.writers import check_kinds

        asked: dict[str, Any] = {
            "points_per_side": None if spacing is not None else points_per_side or 32,
            "spacing": spacing,
            "pred_iou_thresh": iou,
            "stability_score_thresh": stability,
            "stability_score_offset": stability_offset,
            "box_nms_thresh": nms,
            "mask_nms_thresh": mask_nms,
            "containment_thresh": containment,
            "crop_n_layers": crops,
            "crop_nms_thresh": crop_nms,
            "crop_overlap_ratio": crop_overlap,
        }
        settings = EverythingSettings(
            model=model,
            adapter=adapter,
            device=device,
            dtype=dtype.value,
            uncorrected=plain,
            mode_file=mode,
            long_side=side,
            max_side=max_side,
            max_pixels=max_pixels,
            kinds=check_kinds(split_names("--write", write or DEFAULT_KINDS)),
            cleaning=Cleaning(fill_holes, min_area, largest),
            tolerance=tolerance,
            overwrite=overwrite,
            asked=asked,
            points_per_batch=points_per_batch,
            scenes=scene_settings(geo, window, overlap, bands, write),
        )
        summary = EverythingSummary(f"--iou {iou:g} and --stability {stability:g}")
        work = Work(settings, out, photos or [], [], shard=shard, ray=ray, ray_workers=ray_workers)
        status = do(work, summary, Told(as_json, quiet, verbose))
    if status:
        raise typer.Exit(status)
