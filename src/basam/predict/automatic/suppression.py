"""Non-maximum suppression: drop masks that repeat a better one. Without torchvision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from basam.masks import RunMask
from basam.predict.automatic.decoding import MaskCandidate


def best_boxes(boxes: NDArray[np.float64], scores: NDArray[np.float64], threshold: float) -> NDArray[np.intp]:
    """Indices of the boxes `(N, 4)` that remain, best first: greedy suppression by box IoU, as `torchvision.ops.nms`.

    A box is dropped if its IoU with a better remaining one is above `threshold`; of equal scores the first is better.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order].astype(np.float64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    gone = np.zeros(len(boxes), dtype=bool)
    remaining = []
    for index in range(len(boxes)):
        if gone[index]:
            continue
        remaining.append(index)
        rest = boxes[index + 1 :]
        low, high = np.maximum(boxes[index, :2], rest[:, :2]), np.minimum(boxes[index, 2:], rest[:, 2:])
        shared = np.prod(np.maximum(0, high - low), axis=1)
        # Without a division: a box without area repeats no other.
        gone[index + 1 :] |= shared > threshold * (areas[index] + areas[index + 1 :] - shared)
    return order[remaining]


def best_masks(masks: Sequence[RunMask], scores: NDArray[np.float64], iou: float | None, contained: float | None) -> list[int]:
    """Indices of the masks that remain, best first.

    Args:
        iou: drop a mask if its IoU with a better remaining one is above this. None: never.
        contained: drop it if the two share more than this of the smaller one's pixels. None: never.
    """
    remaining: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        mask = masks[index]
        for other in (masks[number] for number in remaining):
            shared = mask.shared(other)
            if iou is not None and shared > iou * (mask.area + other.area - shared):
                break
            if contained is not None and shared > contained * min(mask.area, other.area):
                break
        else:
            remaining.append(index)
    return remaining


def best_of(candidates: list[MaskCandidate], scores: Sequence[float], threshold: float) -> list[MaskCandidate]:
    """The best of every group with overlapping boxes, by scores."""
    if not candidates:
        return []
    boxes = np.stack([candidate.corners for candidate in candidates])
    return [candidates[index] for index in best_boxes(boxes, np.asarray(scores), threshold)]
