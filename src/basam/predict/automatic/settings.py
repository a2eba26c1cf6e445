"""Settings of `AutomaticMasks`: the defaults, and what is allowed. No numpy here: the command line reads its defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from basam.checks import fitting, real_number, whole_number
from basam.errors import InputError

OUTPUT_MODES = ("binary_mask", "uncompressed_rle", "coco_rle")
# Of these None is taken: the setting is not used.
OPTIONAL = ("points_per_side", "spacing", "mask_nms_thresh", "containment_thresh")
SHARES = ("box_nms_thresh", "crop_nms_thresh", "mask_nms_thresh", "containment_thresh")
COUNTS = {"points_per_side": 1, "points_per_batch": 1, "crop_n_layers": 0, "crop_n_points_downscale_factor": 1}


@dataclass(frozen=True, kw_only=True)
class AutomaticSettings:
    """What decides which masks are found; defaults are those of Meta's `SamAutomaticMaskGenerator`. See `AutomaticMasks`."""

    points_per_side: int | None = 32
    spacing: float | None = None
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    mask_nms_thresh: float | None = None
    containment_thresh: float | None = None
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500


# Points that the decoder takes together, at most: that decides memory and time, not the masks.
POINTS_PER_BATCH = 64


def check_settings(given: dict[str, Any]) -> None:
    """Refuse settings that make no sense, by their names; None is taken where it means that a setting is not used.

    Raises:
        ValueError: naming the setting, its value and what is allowed.
    """
    if sum(given[name] is not None for name in ("points_per_side", "point_grids", "spacing")) != 1:
        raise InputError("points_per_side, point_grids, spacing: give exactly one, and None for points_per_side beside another")
    for name, least in COUNTS.items():
        if given[name] is not None or name not in OPTIONAL:
            whole_number(given[name], name, least)
    if given["crop_n_layers"] > 10:
        raise InputError(f"crop_n_layers={given['crop_n_layers']}: at most 10, which are {4**10} crops in the last layer")
    for name in SHARES:
        check_number(name, given[name], 0.0, 1.0)
    check_number("pred_iou_thresh", given["pred_iou_thresh"], -math.inf, 1.0)
    check_number("stability_score_thresh", given["stability_score_thresh"], -math.inf, 1.0)
    check_number("stability_score_offset", given["stability_score_offset"], 0.0, math.inf)
    check_number("crop_overlap_ratio", given["crop_overlap_ratio"], 0.0, 0.99)
    check_number("min_mask_region_area", given["min_mask_region_area"], 0.0, math.inf)
    check_number("spacing", given["spacing"], 1.0, math.inf)
    if given["long_side"] is not None:
        whole_number(given["long_side"], "long_side", 1)
    for name in ("square", "soft"):
        fitting(given[name], bool, name)
    if given["output_mode"] not in OUTPUT_MODES:
        raise InputError(f"output_mode={given['output_mode']!r}: allowed are {', '.join(OUTPUT_MODES)}")


def check_number(name: str, value: Any, least: float, most: float) -> None:
    if value is not None or name not in OPTIONAL:
        real_number(value, name, least, most)
