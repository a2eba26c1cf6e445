"""Masks as the page draws them: cut to their box, and never larger than a screen needs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from basam.files import encoded
from basam.masks import RunMask, tight_box
from basam.predict import Prediction
from basam.web.library import LibraryPhoto
from basam.web.segmenter import PromptPrediction

# Pixels along the long side of a mask that is sent; the file of the session has all of them.
MOST_SHOWN = 2048
# A mask to choose from is sent with this many pixels for each of the model's.
SMOOTHER = 4


def mask_payload(runs: RunMask, scale: float = 1.0) -> dict[str, Any] | None:
    """A mask for the page; None: it is empty.

    Args:
        scale: pixels of the photo along a pixel of the mask.

    Returns:
        `box`: x0, y0, x1, y1 in pixels of the photo; `png`: the mask inside of it, one bit a pixel, in base64.
    """
    if not runs.area:
        return None
    columns = runs.part().T  # these lie together in memory
    longest = max(columns.shape)
    if longest > MOST_SHOWN:
        across, down = (nearest(length, longest) for length in columns.shape)
        columns = columns[across].take(down, axis=1)
    image = Image.fromarray(np.ascontiguousarray(columns)).transpose(Image.Transpose.TRANSPOSE)
    return picture(image, [float(value * scale) for value in runs.box])


def nearest(length: int, longest: int) -> NDArray[np.intp]:
    """Which of `length` rows or columns are shown of a mask whose longer side has `longest`."""
    count = max(1, round(length * MOST_SHOWN / longest))
    return ((np.arange(count) + 0.5) * length / count).astype(np.intp)


def prediction_payload(photo: LibraryPhoto, found: PromptPrediction) -> dict[str, Any]:
    """An answer for the page: the mask that counts, small pictures of the others, scores, the region in pixels."""
    answer, region = found.answer, found.answer.view.region
    candidates = [small_mask(photo, answer, index) for index in range(len(answer.scores))]
    candidates[found.chosen] = mask_payload(found.runs)
    return {
        "candidates": candidates,
        "scores": [float(score) for score in answer.scores],
        "chosen": found.chosen,
        "region": None if region is None else [region.left, region.top, region.side],
    }


def small_mask(photo: LibraryPhoto, answer: Prediction, index: int) -> dict[str, Any] | None:
    """One mask at about the model's own resolution, as `mask_payload` has it."""
    frame = answer.view.frame
    rows, columns = answer.view.window(photo.height, photo.width)
    low = F.interpolate(answer.low[None, index : index + 1], scale_factor=SMOOTHER, mode="bilinear")[0, 0]
    # Pixels of the photo along one of these, down and across; what was padded is cut off.
    down, across = (
        padded / length * original / resized
        for padded, length, original, resized in zip(frame.padded, low.shape, frame.original, frame.resized, strict=True)
    )
    mask = (low > answer.threshold).cpu().numpy()
    mask = mask[: max(1, round(frame.original[0] / down)), : max(1, round(frame.original[1] / across))]
    if not mask.any():
        return None
    x0, y0, x1, y1 = tight_box(mask).astype(int)
    left, top = columns.start or 0, rows.start or 0
    box = [left + x0 * across, top + y0 * down, left + x1 * across, top + y1 * down]
    return picture(Image.fromarray(np.ascontiguousarray(mask[y0:y1, x0:x1])), [float(value) for value in box])


def picture(part: Image.Image, box: Sequence[float]) -> dict[str, Any]:
    return {"box": list(box), "png": base64.b64encode(encoded(part, "PNG", compress_level=1)).decode()}
