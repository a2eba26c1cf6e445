"""The thresholds that a mask must pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Scored(Protocol):
    """A mask with its scores."""

    @property
    def predicted_iou(self) -> float: ...

    @property
    def stability(self) -> float: ...


@dataclass(frozen=True)
class MaskThresholds:
    """Thresholds of predicted IoU and stability score.

    Attributes:
        predicted_iou: a mask passes above this; 0 and less: any mask.
        stability: a mask passes from this on; 0 and less: any mask.
        offset: of the stability score, in logits.
    """

    predicted_iou: float
    stability: float
    offset: float

    def accept(self, mask: Scored) -> bool:
        return (self.predicted_iou <= 0 or mask.predicted_iou > self.predicted_iou) and (
            self.stability <= 0 or mask.stability >= self.stability
        )

    def are_above(self, other: MaskThresholds) -> bool:
        """Whether every mask that passes these passes the other."""
        return (
            self.offset == other.offset
            and (other.predicted_iou <= 0 or self.predicted_iou >= other.predicted_iou)
            and (other.stability <= 0 or self.stability >= other.stability)
        )
