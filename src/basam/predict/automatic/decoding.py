"""From points of one crop to masks; those stay that the model predicts a high IoU for and that are stable.

A mask is decided at the photo's own size, as in Meta's generator, but only there where it can be, and one at a time.
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
from basam.predict.decoding import PromptDecoder, prompts_at_once
from basam.predict.enlarging import Enlarging
from basam.predict.views import View

# A mask is dropped unseen where the most that its stability can be is below the threshold by this.
MARGIN = 0.02


@dataclass(frozen=True, eq=False)
class MaskCandidate:
    """One mask of a photo.

    Attributes:
        runs: the mask at the photo's size.
        predicted_iou: by the model.
        stability: IoU of the masks at the threshold plus and minus an offset.
        point: x, y in pixels of the photo, of the prompt.
        crop: that was encoded.
        soft: its soft edge, where it was wanted.
        number: which of the point's three masks it is.
        view: what was encoded, or the part of a pyramid's level, that the point was predicted on.
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
        """Box `(4,)` as Meta's generator has it: x1 and y1 are the last column and row, and not one past them."""
        x0, y0, x1, y1 = self.runs.box
        return np.array([x0, y0, x1 - 1, y1 - 1], dtype=np.float64)


@dataclass(frozen=True)
class Bar:
    """What a candidate must reach.

    Attributes:
        predicted_iou: more than this; 0 and less: anything.
        stability: at least this; 0 and less: anything.
        offset: of the stability, in logits.
    """

    predicted_iou: float
    stability: float
    offset: float

    def is_reached_by(self, candidate: MaskCandidate) -> bool:
        return (self.predicted_iou <= 0 or candidate.predicted_iou > self.predicted_iou) and (
            self.stability <= 0 or candidate.stability >= self.stability
        )

    def is_above(self, other: Bar) -> bool:
        """Whether all that reaches this one reaches the other."""
        return (
            self.offset == other.offset
            and (other.predicted_iou <= 0 or self.predicted_iou >= other.predicted_iou)
            and (other.stability <= 0 or self.stability >= other.stability)
        )


@dataclass(frozen=True)
class PointDecoding:
    """Of one crop: its view in the predictor's image at hand, and the size (height, width) of the whole photo."""

    decoder: PromptDecoder
    view: View
    crop: Crop
    photo: tuple[int, int]
    bar: Bar
    soft: bool = False
    highest: list[float] = field(default_factory=lambda: [-math.inf, -math.inf])  # predicted IoU and stability

    def candidates(self, points: NDArray[np.float64], at_once: int) -> Iterator[tuple[int, list[MaskCandidate]]]:
        """Points `(P, 2)` in pixels of the crop, at most `at_once` together: how many were decoded, and what came of them."""
        step = max(1, min(at_once, prompts_at_once(self.view.tokens(self.decoder.geometry))))
        for start in range(0, len(points), step):
            some = points[start : start + step]
            coordinates = self.decoder.tensor(self.view.frame.points_in(some))[:, None]
            labels = torch.ones(coordinates.shape[:2], dtype=torch.int64, device=coordinates.device)
            low, scores, _ = self.decoder.low_res([self.view], PromptTensors(coordinates, labels))
            yield len(some), self.best(some, low.float(), scores.float())

    def best(self, points: NDArray[np.float64], low: Tensor, scores: Tensor) -> list[MaskCandidate]:
        """Those among masks `(P, M, h, w)` with scores `(P, M)` that reach the bar."""
        enlarging = Enlarging(self.view.frame, (low.shape[-2], low.shape[-1]))
        each = low.shape[1]
        low, ious = low.flatten(0, 1), scores.flatten().cpu().numpy()
        wanted = np.ones(len(low), dtype=bool) if self.bar.predicted_iou <= 0 else ious > self.bar.predicted_iou
        left = np.flatnonzero(wanted)
        self.highest[0] = max(self.highest[0], float(ious.max(initial=-math.inf)))
        if self.bar.stability > 0 and len(left):
            most = enlarging.most_stable(low[torch.from_numpy(left).to(low.device)], self.level, self.bar.offset)
            self.highest[1] = max(self.highest[1], float(most.max()))
            left = left[most.cpu().numpy() >= self.bar.stability - MARGIN]
        found = (
            self.decided(enlarging, low[index], float(ious[index]), points[index // each], index % each)
            for index in left.tolist()
        )
        return [candidate for candidate in found if candidate is not None]

    @property
    def level(self) -> float:
        return self.decoder.encoder.mask_threshold

    def decided(
        self, enlarging: Enlarging, low: Tensor, iou: float, point: NDArray[np.float64], number: int
    ) -> MaskCandidate | None:
        """One mask at the photo's size; None: it is empty, not stable enough, or cut by the crop."""
        offset = self.bar.offset
        rectangle = enlarging.where_above(low, self.level - (max(EDGE, offset) if self.soft else abs(offset)))
        if rectangle is None:
            return None
        logits = enlarging.part(low, rectangle)
        low_count = int((logits > self.level - offset).sum())
        stability = int((logits > self.level + offset).sum()) / low_count if low_count else 0.0
        inside = logits > self.level
        if not bool(inside.any()) or (self.bar.stability > 0 and stability < self.bar.stability):
            return None
        top, left = rectangle[0] + self.crop.y0, rectangle[2] + self.crop.x0
        runs = RunMask.of_part(inside.cpu().numpy(), top, left, *self.photo)
        x, y = float(point[0]) + self.crop.x0, float(point[1]) + self.crop.y0
        soft = None
        if self.soft:
            soft = SoftMask.of_logits((logits - self.level).cpu().numpy(), edge_width(*self.photo), top, left)
        candidate = MaskCandidate(runs, iou, stability, (x, y), self.crop, soft, number, self.view)
        return None if self.crop.near_edge(candidate.corners, *self.photo) else candidate
