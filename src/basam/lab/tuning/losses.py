"""Losses of promptable segmentation, one number per prompt: the caller weights the prompts.

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

from basam.checks import NotNegative, check_fields


def dice_loss(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """1 minus the Dice coefficient of probabilities and target, `(..., h, w)` to `(...)`; smoothed by one pixel.

    `weight` `(..., h, w)`: weights of the pixels; None: 1.
    """
    probabilities = logits.sigmoid()
    if weight is not None:
        probabilities, target, overlapping = probabilities * weight, target * weight, probabilities * target * weight
    else:
        overlapping = probabilities * target
    overlap = overlapping.sum((-2, -1))
    return 1 - (2 * overlap + 1) / (probabilities.sum((-2, -1)) + target.sum((-2, -1)) + 1)


def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0, weight: Tensor | None = None) -> Tensor:
    """Cross entropy times `(1 - p of the truth) ** gamma`, mean over pixels (weighted): `(..., h, w)` to `(...)`."""
    probabilities = logits.sigmoid()
    wrong = probabilities * (1 - target) + (1 - probabilities) * target
    return mean_over_pixels(cross_entropy(logits, target) * wrong**gamma, weight)


def bce_loss(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross entropy, mean over pixels (weighted by `weight` where given): `(..., h, w)` to `(...)`."""
    return mean_over_pixels(cross_entropy(logits, target), weight)


def mean_over_pixels(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of `(..., h, w)` over the last two, weighted where a weight is given."""
    if weight is None:
        return values.mean((-2, -1))
    return (values * weight).sum((-2, -1)) / weight.sum((-2, -1))


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")


@torch.no_grad()
def intersection_over_union(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, beyond: Tensor | None = None
) -> Tensor:
    """IoU of `logits > 0` and `target >= 0.5`, `(..., h, w)` to `(...)`; 1 where both are empty.

    Only pixels count of which, by `weight`, at least half does. `beyond` `(...)` is what the truth has outside of all pixels,
    as a multiple of what it has in them: no mask reaches it.
    """
    predicted, truth = logits > 0, target >= 0.5
    if weight is not None:
        predicted, truth = predicted & (weight >= 0.5), truth & (weight >= 0.5)
    union: Tensor = (predicted | truth).sum((-2, -1))
    if beyond is not None:
        union = union + beyond * truth.sum((-2, -1))
    return torch.where(union > 0, (predicted & truth).sum((-2, -1)) / union.clamp(min=1), 1.0)


@dataclass(frozen=True)
class LossWeights:
    """Share of every loss in `prompt_losses`."""

    focal: NotNegative = 20.0
    bce: NotNegative = 0.0
    dice: NotNegative = 1.0
    iou: NotNegative = 1.0

    def __post_init__(self) -> None:
        check_fields(self)


def prompt_losses(
    logits: Tensor,
    predicted_iou: Tensor,
    target: Tensor,
    weights: LossWeights,
    pixels: Tensor | None = None,
    counted: Tensor | None = None,
    beyond: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Loss and IoU of K prompts with M masks per prompt, of which the one with the least mask loss is trained.

    Args:
        logits: `(K, M, h, w)`; predicted_iou: `(K, M)`, all of them trained towards what their mask reaches.
        target: `(K, h, w)` in 0..1.
        pixels: `(K, h, w)`: weights of the pixels in the cross entropy. None: 1.
        counted: `(K, h, w)`: weights of the pixels in all losses, 0 where the truth is unknown. None: 1.
        beyond: `(K,)`: how much of the object is outside of the pixels, as a multiple of what is inside; it counts in the IoU.

    Returns:
        losses `(K,)`, and IoU `(K,)` of the trained masks.
    """
    truth = target[:, None].expand_as(logits)
    known = None if counted is None else counted[:, None]
    masks = weights.dice * dice_loss(logits, truth, known)
    if weights.focal:
        masks = masks + weights.focal * focal_loss(logits, truth, weight=known)
    if weights.bce:
        of_pixels = None if pixels is None else pixels[:, None]
        of_pixels = of_pixels if known is None else known if of_pixels is None else of_pixels * known
        masks = masks + weights.bce * bce_loss(logits, truth, of_pixels)
    outside = None if beyond is None else beyond[:, None].expand(logits.shape[:2])
    reached = intersection_over_union(logits, truth, known, outside)
    best = masks.detach().argmin(1, keepdim=True)
    iou_error = (predicted_iou - reached).square().mean(1)
    return masks.gather(1, best)[:, 0] + weights.iou * iou_error, reached.gather(1, best)[:, 0]
