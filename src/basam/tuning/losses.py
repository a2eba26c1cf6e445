"""Losses of promptable segmentation, one number per prompt: the caller decides how prompts are weighed.

Targets may be fractions (a mask reduced to the resolution of the logits): a logit of 0 then means "half covered", which is
where a mask is cut after it is enlarged again.

Sources: focal loss, Lin et al., ICCV 2017; Dice loss, Milletari et al., 3DV 2016; their use in SAM with the minimum over
three masks, Kirillov et al., "Segment Anything", ICCV 2023, appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 minus the Dice coefficient of probabilities and target, `(..., h, w)` to `(...)`; smoothed by one pixel."""
    probabilities = logits.sigmoid()
    overlap = (probabilities * target).sum((-2, -1))
    return 1 - (2 * overlap + 1) / (probabilities.sum((-2, -1)) + target.sum((-2, -1)) + 1)


def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    """Cross entropy times `(1 - p of the truth) ** gamma`, mean over pixels: `(..., h, w)` to `(...)`."""
    probabilities = logits.sigmoid()
    wrong = probabilities * (1 - target) + (1 - probabilities) * target
    return (cross_entropy(logits, target) * wrong**gamma).mean((-2, -1))


def bce_loss(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross entropy, mean over pixels (weighted by `weight` where given): `(..., h, w)` to `(...)`."""
    entropy = cross_entropy(logits, target)
    if weight is None:
        return entropy.mean((-2, -1))
    return (entropy * weight).sum((-2, -1)) / weight.sum((-2, -1))


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")


@torch.no_grad()
def intersection_over_union(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of `logits > 0` and `target >= 0.5`, `(..., h, w)` to `(...)`; 1 where both are empty."""
    predicted, truth = logits > 0, target >= 0.5
    union = (predicted | truth).sum((-2, -1))
    return torch.where(union > 0, (predicted & truth).sum((-2, -1)) / union.clamp(min=1), 1.0)


@dataclass(frozen=True)
class LossWeights:
    """Share of each loss in `prompt_losses`."""

    focal: float = 20.0
    bce: float = 0.0
    dice: float = 1.0
    iou: float = 1.0


def prompt_losses(
    logits: Tensor, predicted_iou: Tensor, target: Tensor, weights: LossWeights, pixels: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Loss and IoU of K prompts, each answered with M masks, of which the one with the least mask loss is trained.

    Args:
        logits: `(K, M, h, w)`; predicted_iou: `(K, M)`, all of them trained towards what their mask reaches.
        target: `(K, h, w)` in 0..1.
        pixels: `(K, h, w)`: how much each pixel counts in the cross entropy. None: all alike.

    Returns:
        losses `(K,)`, and IoU `(K,)` of the trained masks.
    """
    truth = target[:, None].expand_as(logits)
    masks = weights.dice * dice_loss(logits, truth)
    if weights.focal:
        masks = masks + weights.focal * focal_loss(logits, truth)
    if weights.bce:
        masks = masks + weights.bce * bce_loss(logits, truth, None if pixels is None else pixels[:, None])
    reached = intersection_over_union(logits, truth)
    best = masks.detach().argmin(1, keepdim=True)
    iou_error = (predicted_iou - reached).square().mean(1)
    return masks.gather(1, best)[:, 0] + weights.iou * iou_error, reached.gather(1, best)[:, 0]
