"""Settings of `AutomaticMasks`: the defaults, and what is allowed. No numpy here: the command line reads its defaults."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from basam.checks import Count, Share, check_fields, one_of, real_number, whole_number
from basam.errors import InputError
from basam.help import Help

OUTPUT_MODES = ("binary_mask", "uncompressed_rle", "coco_rle")
# Most points per decoder batch: decides memory and time, not the masks.
POINTS_PER_BATCH = 64

# Panels of the help.
FILTERS, CROPS = "Which masks are returned", "Crops"

# A stability or predicted IoU may be below 0, so that every mask is above it.
Threshold = Annotated[float, partial(real_number, most=1)]


@dataclass(frozen=True, kw_only=True)
class AutomaticSettings:
    """Settings that decide which masks are returned; defaults are Meta's `SamAutomaticMaskGenerator`'s. See `AutomaticMasks`.

    Raises:
        ValueError: naming the setting, its value and what is allowed.
    """

    points_per_side: Count | None = 32
    spacing: Annotated[
        Annotated[float, partial(real_number, least=1)] | None,
        Help("Pixels between points, instead of points per side.", "Points", unset="none"),
    ] = None
    pred_iou_thresh: Annotated[
        Threshold, Help("Drop masks unless their predicted IoU is above this.", FILTERS, option="--iou")
    ] = 0.88
    stability_score_thresh: Annotated[
        Threshold, Help("Drop masks with a lower stability score.", FILTERS, option="--stability")
    ] = 0.95
    stability_score_offset: Annotated[
        float,
        partial(real_number, least=0),
        Help("Offset of the stability score, in logits.", FILTERS, option="--stability-offset"),
    ] = 1.0
    box_nms_thresh: Annotated[
        Share, Help("Drop the worse of two masks whose boxes have a larger IoU.", FILTERS, option="--nms")
    ] = 0.7
    mask_nms_thresh: Annotated[
        Share | None,
        Help("Drop the worse of two masks with a larger IoU.", FILTERS, unset="--nms with --crops", option="--mask-nms"),
    ] = None
    containment_thresh: Annotated[
        Share | None,
        Help(
            "Drop a mask if more than this fraction of the smaller one is covered by the other.",
            FILTERS,
            unset="none",
            option="--containment",
        ),
    ] = None
    # 10 layers are 4**10 crops in the last one.
    crop_n_layers: Annotated[
        int,
        partial(whole_number, least=0, most=10),
        Help("Layers of crops beside the whole photo: 4 crops in the first, 16 in the second, ...", CROPS, option="--crops"),
    ] = 0
    crop_nms_thresh: Annotated[Share, Help("--nms between crops.", CROPS, option="--crop-nms")] = 0.7
    crop_overlap_ratio: Annotated[
        float,
        partial(real_number, least=0, most=0.99),
        Help("Overlap as a share of the short side.", CROPS, option="--crop-overlap"),
    ] = 512 / 1500
    crop_n_points_downscale_factor: Annotated[
        Count,
        Help(
            "Layer i of crops has fewer points along a side, by this factor to the power of i.",
            CROPS,
            option="--crop-points-downscale",
        ),
    ] = 1
    pyramid: Annotated[bool, Help("Encode the photo once, at several sizes, instead of crops.", CROPS)] = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.pyramid and self.crop_n_layers:
            raise InputError(f"pyramid and crop_n_layers={self.crop_n_layers}: levels replace crops; give one of them")


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings(AutomaticSettings):
    """All settable attributes of `AutomaticMasks`."""

    points_per_batch: Count = POINTS_PER_BATCH
    point_grids: Any = None
    min_mask_region_area: Annotated[float, partial(real_number, least=0)] = 0
    output_mode: Annotated[str, one_of(*OUTPUT_MODES)] = "binary_mask"
    long_side: Count | None = None
    square: bool = False
    soft: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(value is not None for value in (self.points_per_side, self.point_grids, self.spacing)) != 1:
            raise InputError(
                "points_per_side, point_grids, spacing: give exactly one; points_per_side=None if you give another"
            )
        if self.pyramid and self.square:
            raise InputError("pyramid and square: the levels of a pyramid are not padded to a square; give one of them")
