"""Runs in processes of their own: killed and started again, or shared by two, they follow the curve of an unbroken one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from basam.cli import app
from basam.lab.tuning.resuming import CHECKPOINT
from basam.model import read_adapter
from tests.helpers.forked import Forked, together

STEPS, EVERY = 12, 3


def words(photos: Path, base: Path, out: Path) -> list[str]:
    command = ["tune", "--data", f"folder:{photos}", "--model", str(base), "--sizes", "64-96"]
    return [*command, *f"--tune full --steps {STEPS} --batch-size 4 --validate-every {EVERY} --out {out}".split()]


def curve(out: Path) -> dict[int, float]:
    """The loss of every step, from TensorBoard's files; a step that was made twice must have the same one."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    losses: dict[int, float] = {}
    for file in sorted(out.rglob("events.out.tfevents.*")):
        events = EventAccumulator(str(file))
        events.Reload()
        for event in events.Scalars("train/loss") if "train/loss" in events.Tags()["scalars"] else ():
            assert losses.setdefault(event.step, event.value) == event.value
    return losses


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, photos: Path, base: Path) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes below: another number adds up in another order
    try:
        result = CliRunner().invoke(app, words(photos, base, out))
    finally:
        torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    assert len(curve(out)) == STEPS // EVERY
    return out


def scores(out: Path) -> list[dict[str, float]]:
    return [entry["by_data"] for entry in json.loads((out / "validation.json").read_text())["scores"]]


def test_killed_and_started_again(photos: Path, base: Path, unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = Forked("basam", words(photos, base, out), tmp_path / "output.txt")
    process.wait_until(lambda: (out / CHECKPOINT).is_file())
    process.kill()
    assert torch.load(out / CHECKPOINT)["step"] < STEPS

    again = Forked("basam", words(photos, base, out), tmp_path / "output.txt")
    assert again.end() == 0, again.text
    assert curve(out) == curve(unbroken)
    assert scores(out) == scores(unbroken)
    states = [torch.load(folder / CHECKPOINT)["weights"] for folder in (out, unbroken)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    kept = [read_adapter(folder / "adapter").tensors() for folder in (out, unbroken)]
    assert all(torch.equal(kept[0][name], tensor) for name, tensor in kept[1].items())


def test_two_processes(photos: Path, base: Path, unbroken: Path, tmp_path: Path) -> None:
    """Each with half of the batch; sums of floats in another order are all that may differ."""
    out = tmp_path / "run"
    processes = together("basam", words(photos, base, out), tmp_path)
    outputs = [f"{process.end()} {process.text}" for process in processes]
    assert all(output.startswith("0 ") for output in outputs), outputs
    shared, alone = curve(out), curve(unbroken)
    assert shared.keys() == alone.keys()
    assert list(shared.values()) == pytest.approx(list(alone.values()), rel=2e-3)
    assert next(iter(shared.values())) == pytest.approx(next(iter(alone.values())), rel=1e-5)
    for mine, theirs in zip(scores(out), scores(unbroken), strict=True):
        assert mine == pytest.approx(theirs, abs=5e-3)
    assert "".join(outputs).count("wrote ") == 1  # one process reports
    slopes = [read_adapter(folder / "adapter").slopes for folder in (out, unbroken)]
    assert torch.allclose(slopes[0](), slopes[1](), rtol=1e-2)
