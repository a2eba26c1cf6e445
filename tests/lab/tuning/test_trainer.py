"""The loop: learns, resumes where it was killed, and says what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from basam.lab.data import Issue
from basam.lab.tuning import resuming as checkpoints
from basam.lab.tuning.plan import Plan
from basam.lab.tuning.resuming import TrainingError
from basam.lab.tuning.trainer import Trainer
from tests.helpers import line
from tests.helpers.forked import Forked


def curve(folder: Path, **more: object) -> list[float]:
    one, losses = line.trainer(folder, **more)  # type: ignore[arg-type]
    one.run()
    return losses


def test_the_loss_falls(tmp_path: Path) -> None:
    losses = curve(tmp_path, steps=60)
    assert sum(losses[-5:]) < 0.1 * sum(losses[:5])


def test_a_killed_run_goes_on_along_the_same_curve(tmp_path: Path) -> None:
    whole = curve(tmp_path / "whole")
    killed = Forked(line.__name__, [str(tmp_path / "killed"), "12", "6"], tmp_path / "output.txt")
    assert killed.end() == -9, killed.text
    assert curve(tmp_path / "killed") == whole[4:]  # from the checkpoint of step 4


def test_accumulated_parts_do_what_a_whole_batch_does(tmp_path: Path) -> None:
    parts = curve(tmp_path / "parts", plan=Plan(steps=6, rate=0.05, warmup=2, ema=0.9, accumulate=4))
    assert parts == pytest.approx(curve(tmp_path / "whole", plan=Plan(steps=6, rate=0.05, warmup=2, ema=0.9)), rel=1e-5)


def test_worker_processes_change_nothing(tmp_path: Path) -> None:
    assert curve(tmp_path / "worker", steps=5, workers=1) == curve(tmp_path / "none", steps=5)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, calls = torch.save, []

    def fill(state: object, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(state, path)

    monkeypatch.setattr(checkpoints.torch, "save", fill)
    with pytest.raises(TrainingError, match=r"checkpoint of step 8 cannot be written.*No space left.*last good one is in"):
        curve(tmp_path)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    curve(tmp_path, steps=4)
    with pytest.raises(TrainingError, match=r"other settings \(rate was 0.05, now 0.1\): train into another folder"):
        line.trainer(tmp_path, plan=Plan(steps=4, rate=0.1, warmup=2, ema=0.9))


def test_a_falling_rate_cannot_be_extended_and_the_way_out_is_named(tmp_path):
    curve(tmp_path, steps=4)
    with pytest.raises(TrainingError, match=r"was to have 4 steps, over which its .*: the 4 steps done .* --schedule constant"):
        line.trainer(tmp_path, steps=5)
    with pytest.raises(TrainingError, match=r"has 4 steps, more than the 3 of this run: give at least 4"):
        line.trainer(tmp_path, steps=3)


def test_a_constant_rate_goes_on_as_if_it_had_never_ended(tmp_path):
    def plan(steps):
        return Plan(steps=steps, rate=0.05, warmup=2, floor=1.0, ema=0.9)

    whole = curve(tmp_path / "whole", plan=plan(7))
    first = curve(tmp_path / "parts", plan=plan(4))
    assert first + curve(tmp_path / "parts", plan=plan(7)) == whole
    assert len(whole) == 7
    with pytest.raises(TrainingError, match=r"of its 7 steps rose over 2 of them, and would over 4 now: give warmup 2"):
        line.trainer(tmp_path / "parts", plan=Plan(steps=9, rate=0.05, warmup=4, floor=1.0, ema=0.9))


@pytest.mark.parametrize("content", [b"", b"half a file", "whole but for its last bytes", "without weights"])
def test_a_damaged_checkpoint_is_named_in_a_line(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "checkpoint.pt"
    if isinstance(content, str):
        curve(tmp_path)
        kept = torch.load(path, weights_only=True)
        torch.save({name: value for name, value in kept.items() if name != "weights"}, tmp_path / "less.pt")
        content = (tmp_path / "less.pt").read_bytes() if content == "without weights" else path.read_bytes()[:-200]
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"checkpoint.pt is no readable checkpoint \([^)\n]+.*remove it") as raised:
        line.trainer(tmp_path)
    assert len(str(raised.value)) < 300 + len(str(path))
    assert path.read_bytes() == content


def test_a_module_without_trained_parameters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to train"):
        Trainer(
            nn.Linear(1, 1).requires_grad_(False), line.Points(), Plan(steps=1, rate=0.1), tmp_path, device="cpu", trackers=()
        )


def test_figures_go_to_tensorboard(tmp_path: Path) -> None:
    one, _ = line.trainer(tmp_path, steps=2, trackers=("tensorboard",), log_every=1)
    one.run()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = (tmp_path / "logs").glob("events*")
    log = EventAccumulator(str(events)).Reload()
    assert [event.step for event in log.Scalars("train/loss")] == [1, 2]


def test_trackers_are_closed_when_training_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = line.trainer(tmp_path, bad=2, trackers=("tensorboard",))
    ended: list[str] = []
    end = one.accelerator.end_training
    monkeypatch.setattr(one.accelerator, "end_training", lambda: ended.append("ended") or end())  # type: ignore[func-returns-value]
    with pytest.raises(TrainingError, match="loss is nan"):
        one.run()
    assert ended == ["ended"]


def test_the_gradient_scaler_of_float16_is_saved_and_restored(tmp_path: Path) -> None:
    one, _ = line.trainer(tmp_path, steps=4)
    one.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=512.0)
    one.accelerator.scaler.scale(torch.zeros(1))  # makes its state
    one.save()
    other, _ = line.trainer(tmp_path, steps=4)
    other.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    other.resume()
    assert other.accelerator.scaler.state_dict()["scale"] == 512.0


def test_what_is_wrong_with_data_is_kept_over_a_stop(tmp_path: Path) -> None:
    issue = Issue("unreadable-image", "broken.jpg", "truncated")

    class Broken(line.Points):
        def make(self, step: int, part: int, parts: int) -> Any:
            return {**super().make(step, part, parts), "issues": [issue] if step == 1 else []}

    def make() -> Trainer:
        return Trainer(line.Line(), Broken(), Plan(steps=4, rate=0.1), tmp_path, device="cpu", trackers=(), save_every=2)

    one = make()
    one.run()
    assert list(one.issues) == [issue]
    assert list(make().issues) == [issue]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"steps": 0}, "steps=0"), ({"rate": -1.0}, "rate=-1.0"), ({"precision": "int8"}, "precision='int8'")],
)
def test_a_plan_names_what_is_wrong(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(**({"steps": 1, "rate": 0.1} | wrong))  # type: ignore[arg-type]
