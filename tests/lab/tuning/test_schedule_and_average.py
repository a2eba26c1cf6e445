"""The learning rate and the average of weights, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from basam.lab.tuning.plan import learning_rate
from basam.lab.tuning.trainer import WeightAverage


def test_rate_warms_up_falls_by_a_cosine_and_stays_above_its_floor() -> None:
    rates = [learning_rate(step, 110, 1.0, 10, 0.1) for step in (0, 9, 10, 60, 110, 500)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.55, 0.1, 0.1])


def test_average_of_a_weight() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 0.0)
    average = WeightAverage(module, 0.5)
    nn.init.constant_(module.weight, 1.0)
    average.update(0)  # early: decay (1 + 0) / (10 + 0)
    assert average.averages["weight"].item() == pytest.approx(0.9)
    nn.init.constant_(module.weight, 2.0)
    average.update(1000)
    assert average.averages["weight"].item() == pytest.approx(1.45)


def test_average_is_applied_for_a_block_and_leaves_what_is_not_trained() -> None:
    module = nn.Linear(2, 1)
    module.bias.requires_grad_(False)
    average = WeightAverage(module, 0.9)
    before = average.averages["weight"].clone()
    with torch.no_grad():
        module.weight += 1
    now = module.weight.detach().clone()
    with average.applied():
        assert torch.equal(module.weight, before)
    assert torch.equal(module.weight, now)
    assert list(average.averages) == ["weight"]


def test_decay_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match="decay=1: at least 0 and below 1"):
        WeightAverage(nn.Linear(1, 1), 1)
