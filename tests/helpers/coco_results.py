"""Predicted masks as `coco_ap` takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from basam.masks import encode_mask


def result_of(image_id: int, category_id: int, mask: np.ndarray, score: float, order: int) -> dict[str, Any]:
    rle = encode_mask(mask)
    return {"image_id": image_id, "category_id": category_id, "segmentation": rle, "score": score, "order": order}
