"""The schedule of pretraining: a run that may be extended, and decayed from any point, along the same curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from basam.lab.tuning import Plan, TrainingError
from studies.pretrain import schedule
from studies.pretrain.schedule import StableThenDecay, decayed_share
from tests.helpers.line import Line, Points


def trained(folder: Path, steps: int, decay: int, **more: Any) -> StableThenDecay:
    torch.manual_seed(0)
    plan = Plan(steps=steps, rate=0.05, warmup=2, floor=1.0, ema=0.9)
    options: dict[str, Any] = {"device": "cpu", "trackers": (), "save_every": 100} | more
    trainer = StableThenDecay(Line(), Points(), plan, folder, decay=decay, **options)
    trainer.run()
    return trainer


def weights(trainer: StableThenDecay) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.module.parameters()])


def test_the_rate_stays_and_then_falls_to_its_floor() -> None:
    shares = [decayed_share(step, 6, 10, floor=0.2) for step in range(10)]
    assert shares[:6] == [1.0] * 6
    assert shares[6:] == sorted(shares[6:], reverse=True)
    assert shares[6] == pytest.approx(0.6)
    assert shares[9] == pytest.approx(0.2)


def test_a_finished_run_is_extended_along_the_curve_of_the_longer_one(tmp_path: Path) -> None:
    trained(tmp_path / "extended", 6, 2)
    longer = trained(tmp_path / "extended", 10, 2)
    assert longer.done == 10
    assert torch.equal(weights(longer), weights(trained(tmp_path / "at once", 10, 2)))
    assert not torch.equal(weights(longer), weights(trained(tmp_path / "without decay", 10, 0)))


def test_a_decay_that_was_killed_goes_on(tmp_path: Path) -> None:
    def kill(trainer: StableThenDecay, done: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", 8, 3, save_every=1, after=kill)
    assert torch.equal(weights(trained(tmp_path / "killed", 8, 3)), weights(trained(tmp_path / "whole", 8, 3)))


def test_a_decay_cannot_begin_before_the_last_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path, 6, 0)
    with pytest.raises(TrainingError, match=r"6 steps at the full rate already.* at least 8 steps"):
        trained(tmp_path, 7, 2)
    assert trained(tmp_path, 8, 2).done == 8


def test_a_slow_run_writes_checkpoints_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    save = StableThenDecay.save
    monkeypatch.setattr(StableThenDecay, "save", lambda self: (written.append(self.done), save(self)))
    trained(tmp_path / "fast", 4, 0)
    assert written == [4]
    written.clear()
    monkeypatch.setattr(schedule, "CHECKPOINT_SECONDS", -1)
    trained(tmp_path / "slow", 4, 0)
    assert written == [0, 1, 2, 3, 4]


def test_the_rate_that_is_logged_falls_as_well(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(tmp_path, 6, 2, trackers=("tensorboard",), log_every=1)
    (events,) = (tmp_path / "logs").glob("events*")
    rates = [event.value for event in EventAccumulator(str(events)).Reload().Scalars("train/rate")]
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.05, 0.05])
    assert rates[4:] == pytest.approx([0.05 * decayed_share(step, 4, 6) for step in (4, 5)])
