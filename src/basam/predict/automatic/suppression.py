"""One mask for each object: what repeats a better one is dropped. Without torchvision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from basam.masks import RunMask
from basam.predict.automatic.decoding import MaskCandidate


def best_boxes(boxes: NDArray[np.float64], scores: NDArray[np.float64], threshold: float) -> NDArray[np.intp]:
    """Which of N boxes `(N, 4)` stay, the best first: greedy suppression by IoU of boxes, as `torchvision.ops.nms`.

    A box goes where its IoU with a better one that stays is above `threshold`; of equal scores the first is better.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order].astype(np.float64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    gone = np.zeros(len(boxes), dtype=bool)
    kept = []
    for index in range(len(boxes)):
        if gone[index]:
            continue
        kept.append(index)
        rest = boxes[index + 1 :]
        low, high = np.maximum(boxes[index, :2], rest[:, :2]), np.minimum(boxes[index, 2:], rest[:, 2:])
        shared = np.prod(np.maximum(0, high - low), axis=1)
        # Without a division: a box of no area repeats none.
        gone[index + 1 :] |= shared > threshold * (areas[index] + areas[index + 1 :] - shared)
    return order[kept]


def best_masks(masks: Sequence[RunMask], scores: NDArray[np.float64], iou: float | None, contained: float | None) -> list[int]:
    """Which of N masks stay, the best first.

    Args:
        iou: a mask goes where its IoU with a better one that stays is above this. None: never.
        contained: it also goes where the two share more than this of the smaller one's pixels. None: never.
    """
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        mask = masks[index]
        for other in (masks[each] for each in kept):
            shared = mask.shared(other)
            if iou is not None and shared > iou * (mask.area + other.area - shared):
                break
            if contained is not None and shared > contained * min(mask.area, other.area):
                break
        else:
            kept.append(index)
    return kept


def best_of(candidates: list[MaskCandidate], scores: Sequence[float], threshold: float) -> list[MaskCandidate]:
    """One of those whose boxes overlap, by scores."""
    if not candidates:
        return []
    boxes = np.stack([candidate.corners for candidate in candidates])
    return [candidates[index] for index in best_boxes(boxes, np.asarray(scores), threshold)]
