"""Losses against cases computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from basam.lab.tuning.losses import LossWeights, bce_loss, dice_loss, focal_loss, intersection_over_union, prompt_losses

SURE = 20.0  # a logit whose probability is 1 within 1e-8


def test_dice_of_half_an_overlap() -> None:
    logits = torch.tensor([[SURE, SURE, -SURE, -SURE]])
    target = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    # One pixel in common, two in each, one of smoothing: 1 - (2 + 1) / (4 + 1).
    assert dice_loss(logits, target).item() == pytest.approx(0.4, abs=1e-6)


def test_focal_weighs_entropy_by_how_wrong_it_is() -> None:
    logits, target = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    assert focal_loss(logits, target).item() == pytest.approx(math.log(2) / 4)
    assert focal_loss(logits, target, gamma=0).item() == pytest.approx(bce_loss(logits, target).item())


def test_weighted_entropy_is_a_mean_over_the_weight() -> None:
    logits, target = torch.tensor([[0.0, SURE]]), torch.tensor([[1.0, 1.0]])
    assert bce_loss(logits, target).item() == pytest.approx(math.log(2) / 2, abs=1e-6)
    assert bce_loss(logits, target, torch.tensor([[3.0, 1.0]])).item() == pytest.approx(math.log(2) * 3 / 4, abs=1e-6)


def test_iou_cuts_fractions_at_one_half_and_nothing_is_like_nothing() -> None:
    logits = torch.tensor([[[1.0, 1.0, -1.0]], [[-1.0, -1.0, -1.0]]])
    target = torch.tensor([[[0.6, 0.4, 0.9]], [[0.0, 0.2, 0.4]]])
    assert intersection_over_union(logits, target).tolist() == pytest.approx([1 / 3, 1.0])


def test_only_the_best_of_three_masks_is_trained_and_every_score() -> None:
    target = torch.tensor([[[1.0, 0.0]]])
    logits = torch.tensor([[[[-2.0, 2.0]], [[2.0, -2.0]], [[0.5, 0.5]]]], requires_grad=True)
    scores = torch.tensor([[0.5, 0.5, 0.5]], requires_grad=True)
    losses, ious = prompt_losses(logits, scores, target, LossWeights())
    losses.sum().backward()
    assert ious.tolist() == [1.0]
    moved = logits.grad.abs().sum((-2, -1))[0]
    assert moved[1] > 0
    assert moved[0] == moved[2] == 0
    assert scores.grad[0].sign().tolist() == [1.0, -1.0, 0.0]  # reached: 0, 1 and 1/2


def test_weights_choose_the_losses() -> None:
    target, logits, scores = torch.ones(1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([[0.0]])
    nothing = LossWeights(focal=0, bce=0, dice=0, iou=0)
    only_bce = LossWeights(focal=0, bce=2, dice=0, iou=0)
    assert prompt_losses(logits, scores, target, nothing)[0].item() == 0
    assert prompt_losses(logits, scores, target, only_bce)[0].item() == pytest.approx(2 * math.log(2))
