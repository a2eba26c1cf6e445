"""From points of one crop to masks, of which those with a high predicted IoU and a high stability score are returned.

Masks are thresholded at native resolution, as in Meta's generator, but only where the mask can be, and one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from basam.families import PromptTensors
from basam.masks import EDGE, RunMask, SoftMask, edge_width
from basam.predict.automatic.grids import Crop
from basam.predict.automatic.thresholds import MaskThresholds
from basam.predict.decoding import PromptDecoder, prompts_at_once
from basam.predict.enlarging import Enlarging
from basam.predict.views import View

# A mask is rejected without upscaling if an upper bound on its stability score is below the threshold by this.
MARGIN = 0.02


@dataclass(frozen=True, eq=False)
class MaskCandidate:
    """One mask of a photo.

    Attributes:
        runs: the mask at native resolution.
        predicted_iou: by the model.
        stability: IoU of the masks at the threshold plus and minus an offset.
        point: x, y in pixels of the photo, of the prompt.
        crop: the crop that was encoded.
        soft: its soft edge, if requested.
        number: index among the point's three masks.
        view: the encoded view, or the part of a pyramid's level, that the point was predicted on.
    """

    runs: RunMask
    predicted_iou: float
    stability: float
    point: tuple[float, float]
    crop: Crop
    soft: SoftMask | None = None
    number: int = 0
    view: View | None = None

    @property
    def corners(self) -> NDArray[np.float64]:
        """Box `(4,)` as in Meta's generator: x1 and y1 are the last column and row."""
        x0, y0, x1, y1 = self.runs.box
        return np.array([x0, y0, x1 - 1, y1 - 1], dtype=np.float64)


@dataclass(frozen=True)
class PointDecoding:
    """Decodes points of one crop: its view in the predictor's current image, and the size (height, width) of the whole
    photo."""

    decoder: PromptDecoder
    view: View
    crop: Crop
    photo: tuple[int, int]
    thresholds: MaskThresholds
    soft: bool = False
    highest: list[float] = field(default_factory=lambda: [-math.inf, -math.inf])  # predicted IoU and stability

    def candidates(self, points: NDArray[np.float64], at_once: int) -> Iterator[tuple[int, list[MaskCandidate]]]:
        """Per batch of the points `(P, 2)` in pixels of the crop, at most `at_once`: its number of points, and their masks."""
        step = max(1, min(at_once, prompts_at_once(self.view.tokens(self.decoder.geometry))))
        for start in range(0, len(points), step):
            some = points[start : start + step]
            coordinates = self.decoder.tensor(self.view.frame.points_in(some))[:, None]
            labels = torch.ones(coordinates.shape[:2], dtype=torch.int64, device=coordinates.device)
            low, scores, _ = self.decoder.low_res([self.view], PromptTensors(coordinates, labels))
            yield len(some), self.best(some, low.float(), scores.float())

    def best(self, points: NDArray[np.float64], low: Tensor, scores: Tensor) -> list[MaskCandidate]:
        """Masks that pass the thresholds, from logits `(P, M, h, w)` with scores `(P, M)`."""
        enlarging = Enlarging(self.view.frame, (low.shape[-2], low.shape[-1]))
        per_point = low.shape[1]
        low, ious = low.flatten(0, 1), scores.flatten().cpu().numpy()
        wanted = np.ones(len(low), dtype=bool) if self.thresholds.predicted_iou <= 0 else ious > self.thresholds.predicted_iou
        left = np.flatnonzero(wanted)
        self.highest[0] = max(self.highest[0], float(ious.max(initial=-math.inf)))
        if self.thresholds.stability > 0 and len(left):
            most = enlarging.most_stable(low[torch.from_numpy(left).to(low.device)], self.level, self.thresholds.offset)
            self.highest[1] = max(self.highest[1], float(most.max()))
            left = left[most.cpu().numpy() >= self.thresholds.stability - MARGIN]
        masks = (
            self.decided(enlarging, low[index], float(ious[index]), points[index // per_point], index % per_point)
            for index in left.tolist()
        )
        return [candidate for candidate in masks if candidate is not None]

    @property
    def level(self) -> float:
        return self.decoder.encoder.mask_threshold

    def decided(
        self, enlarging: Enlarging, low: Tensor, iou: float, point: NDArray[np.float64], number: int
    ) -> MaskCandidate | None:
        """One mask at native resolution; None: it is empty, not stable enough, or cut by the crop."""
        offset = self.thresholds.offset
        rectangle = enlarging.where_above(low, self.level - (max(EDGE, offset) if self.soft else abs(offset)))
        if rectangle is None:
            return None
        logits = enlarging.part(low, rectangle)
        low_count = int((logits > self.level - offset).sum())
        stability = int((logits > self.level + offset).sum()) / low_count if low_count else 0.0
        inside = logits > self.level
        if not bool(inside.any()) or (self.thresholds.stability > 0 and stability < self.thresholds.stability):
            return None
        top, left = rectangle[0] + self.crop.y0, rectangle[2] + self.crop.x0
        runs = RunMask.of_part(inside.cpu().numpy(), top, left, *self.photo)
        x, y = float(point[0]) + self.crop.x0, float(point[1]) + self.crop.y0
        soft = None
        if self.soft:
            soft = SoftMask.of_logits((logits - self.level).cpu().numpy(), edge_width(*self.photo), top, left)
        candidate = MaskCandidate(runs, iou, stability, (x, y), self.crop, soft, number, self.view)
        return None if self.crop.near_edge(candidate.corners, *self.photo) else candidate
