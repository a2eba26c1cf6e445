"""Boundary IoU (Cheng et al., CVPR 2021), by `faster_coco_eval`: IoU of the bands inside the two outlines.

The band is 2 % of the image's diagonal wide, at least one pixel; the image's border counts as outline.
"""

from __future__ import annotations

import math
from typing import Any

from basam.files import require
from basam.lab.metrics.case import Case
from basam.masks import encode_mask, tight_box

BAND = 0.02  # share of the diagonal


def boundary_iou(case: Case) -> dict[str, Any]:
    """Boundary IoU of the mask as delivered; 0 where nothing was predicted."""
    library = require("faster_coco_eval.core.mask", "evaluate")
    require("cv2", "evaluate")  # the library's faster way of eroding; the other gives the same
    # There is nothing outside the box of both masks, and the border of what it is given counts as outline there as well: the
    # box alone gives the same, several times as fast for small objects. The band stays that of the image.
    x0, y0, x1, y1 = tight_box(case.delivered | case.truth).astype(int)
    width = max(1, round(BAND * math.hypot(*case.truth.shape)))
    share = width / math.hypot(y1 - y0, x1 - x0)
    predicted, truth = (
        library.rleToBoundary(encode_mask(mask[y0:y1, x0:x1]), share, backend="opencv") for mask in (case.delivered, case.truth)
    )
    return {"boundary_iou": float(library.iou([predicted], [truth], [0])[0][0])}
