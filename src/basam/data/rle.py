"""COCO's run-length encoding and polygons, by `faster_coco_eval` (the extra `evaluate`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from basam.errors import InputError
from basam.files import require


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """`mask` (H, W) bool as COCO's compressed RLE, plain JSON: `{"size": [H, W], "counts": "..."}`."""
    rle = _library().encode(np.asfortranarray(mask, dtype=np.uint8))
    counts = rle["counts"]
    return {"size": [int(side) for side in rle["size"]], "counts": counts.decode() if isinstance(counts, bytes) else counts}


def decode_segmentation(segmentation: Any, height: int, width: int) -> np.ndarray:
    """(height, width) bool of an annotation's `segmentation`: polygons, RLE with a list of counts, or compressed RLE.

    Raises:
        ValueError: it is none of these, or of another size.
    """
    library = _library()
    if segmentation == []:
        return np.zeros((height, width), dtype=bool)
    if isinstance(segmentation, list):
        for polygon in segmentation:
            if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
                raise InputError("a polygon needs at least three points, as x, y, x, y, ...")
        rle = library.merge(library.frPyObjects(segmentation, height, width))
    elif not isinstance(segmentation, dict) or "counts" not in segmentation or "size" not in segmentation:
        raise InputError(f"neither polygons nor RLE: {str(segmentation)[:60]}")
    else:
        size, counts = [int(side) for side in segmentation["size"]], segmentation["counts"]
        if size != [height, width]:
            raise InputError(f"RLE of {size[1]} x {size[0]} for an image of {width} x {height}")
        if isinstance(counts, list) and sum(counts) != height * width:
            raise InputError(f"RLE counts sum to {sum(counts)} and not to the image's {height * width} pixels")
        rle = {"size": size, "counts": counts.encode() if isinstance(counts, str) else counts}
        if isinstance(counts, list):
            rle = library.frPyObjects(rle, height, width)
    return library.decode(rle).astype(bool)


def _library() -> Any:
    return require("faster_coco_eval.core.mask", "evaluate")
