"""`tune` from data to adapter: all four ways, resuming after an interruption, and what stops a run."""

from __future__ import annotations

import errno
import json
import math
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import basam
from basam.lab.tuning.accelerating import check_device
from basam.lab.tuning.fine_tuning import Tuning, merge
from basam.lab.tuning.resuming import CHECKPOINT, TrainingError
from basam.lab.tuning.tuned import Tuned
from basam.lab.tuning.validation import Score, Scores, Validator
from basam.lab.tuning.ways import prepare, tuned_mode
from basam.model import attachment_of, model_fingerprint, read_adapter
from basam.predict import Predictor


@pytest.mark.parametrize("way", ["bias", "decoder", "lora", "full"])
def test_an_adapter_reproduces_the_figure_it_was_kept_for(tuning, base, way, monkeypatch):
    # Six steps on noise need not make a random SAM better: the last step is kept whatever it is.
    monkeypatch.setattr(Scores, "best", property(lambda self: self.scores[-1]))
    run = tuning(way=way, rate=1e-2, slope=0.1, augment=False)
    outcome = run.run()
    best = outcome.scores.best
    assert [score.step for score in outcome.scores.scores] == [0, 3, 6]
    model = basam.load(base, adapter=outcome.adapter)
    again = Validator(Predictor(model), run.portions, run.validator.sizes, count=16, seed=0).measure(0, 0.0, lambda sums: sums)
    assert again.mean == pytest.approx(best.mean, abs=1e-3)
    slopes = run.trainer.module.slopes
    assert (slopes() > 0).all()
    assert (slopes() != 0.1).all()
    found = json.loads((outcome.adapter / "mode.json").read_text())["found"]
    assert found["validation"]["kept"] == best.by_data
    assert (found["steps"], found["done"], found["kept"], found["seed"]) == (6, 6, best.step, 0)
    card = (outcome.adapter / "README.md").read_text()
    assert f"begins with `{model_fingerprint(basam.load(base))[:12]}`" in card
    assert "11 photographs; validated on 1: set aside of all" in card
    assert "Long sides of 64-96 px, 6 steps of 2 photographs" in card


def test_training_lowers_the_loss(tuning):
    run = tuning(way="full", rate=3e-3, steps=40, validate_every=40, augment=False, sizes="64")
    module = run.trainer.module

    def loss():
        with torch.no_grad():
            return sum(module(run.batches.make(step, 0, 1))["loss"].item() for step in range(100, 105))

    before = loss()
    run.run()
    assert loss() < 0.8 * before


def test_a_run_that_was_stopped_goes_on_along_the_same_curve(tuning, tmp_path):
    whole = tuning("whole", way="lora").run()

    class StoppedError(Exception): ...

    def stop(text):
        if text.startswith("step 3"):
            raise StoppedError

    broken = tuning("broken", way="lora")
    broken.report = stop
    with pytest.raises(StoppedError):
        broken.run()
    rest = tuning("broken", way="lora")
    assert rest.trainer.done == 3
    outcome = rest.run()
    scores = [[(score.step, score.by_data) for score in one.scores.scores] for one in (whole, outcome)]
    assert scores[0] == scores[1]
    states = [torch.load(tmp_path / name / CHECKPOINT) for name in ("whole", "broken")]
    assert states[0]["weights"].keys() == states[1]["weights"].keys()
    assert all(torch.equal(states[0]["weights"][name], states[1]["weights"][name]) for name in states[0]["weights"])
    done = tuning("broken", way="lora").run()  # nothing is left to do
    assert [score.step for score in done.scores.scores] == [0, 3, 6]


def test_a_run_resumes_where_everything_was_moved_to(quick, photos, base, tmp_path):
    given = {"steps": 3, "validate_every": 3, "schedule": "constant"}
    Tuning(quick(**given), tmp_path / "run", trackers=(), report=lambda text: None).run()
    moved = tmp_path / "elsewhere"
    for name, place in (("photos", photos), ("base", base), ("run", tmp_path / "run")):
        shutil.copytree(place, moved / name)
    places = {"data": (f"folder:{moved / 'photos'}",), "model": str(moved / "base")}
    again = Tuning(quick(**given, **places), moved / "run", trackers=(), report=lambda text: None)
    assert again.trainer.done == 3
    picture = next((moved / "photos" / "images").iterdir())
    picture.write_bytes(picture.read_bytes() + b"\0")
    with pytest.raises(TrainingError, match=r"run with other settings \(photographs was"):
        Tuning(quick(**given, **places), moved / "run", trackers=(), report=lambda text: None)


def test_a_loss_that_is_no_number_stops_and_names_its_batch(tuning, monkeypatch, tmp_path):
    run = tuning()
    forward = Tuned.forward
    calls = []

    def poisoned(self, batch):
        calls.append(1)
        out = forward(self, batch)
        return out if len(calls) < 5 else out | {"loss": out["loss"] * float("nan")}

    monkeypatch.setattr(Tuned, "forward", poisoned)
    names = run.batches.describe(4)
    with pytest.raises(
        TrainingError, match=r"the loss is nan at step 4, in the batch of .*photo.*last good checkpoint is in"
    ) as error:
        run.run()
    assert names in str(error.value)
    assert torch.load(tmp_path / "run" / CHECKPOINT)["step"] == 3
    assert read_adapter(tmp_path / "run" / "adapter").slopes is not None
    monkeypatch.setattr(Tuned, "forward", forward)
    assert tuning().run().scores.scores[-1].step == 6


def test_a_full_disk_keeps_what_is_there(tuning, monkeypatch, tmp_path):
    tuning(steps=3).run()
    folder = tmp_path / "run" / "adapter"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_bytes = Path.write_bytes

    def full(self, data):
        write_bytes(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        merge(tuning(steps=3).settings, folder, tmp_path / "merged")
    run = tuning(steps=3)
    with pytest.raises(OSError, match="No space left"):
        run.keep(run.scores.best)
    assert (folder / "adapter.safetensors").read_bytes() == before["adapter.safetensors"]
    assert not list(folder.glob(".*"))


def test_a_merged_checkpoint_is_read_by_plain_transformers(tuning, quick, base, tmp_path):
    from transformers import SamModel

    outcome = tuning(way="lora", rate=1e-2, augment=False).run()
    merge(quick(way="lora"), outcome.adapter, tmp_path / "merged")
    tuned = basam.load(base, adapter=outcome.adapter)
    plain = SamModel.from_pretrained(tmp_path / "merged")
    assert all(torch.equal(plain.state_dict()[key], value) for key, value in tuned.state_dict().items())
    both = basam.load(tmp_path / "merged", adapter=tmp_path / "merged" / "adapter")
    assert torch.equal(attachment_of(both).learned.log, attachment_of(tuned).learned.log)
    pixels = torch.randn(1, 3, 96, 80)
    with torch.no_grad():
        assert torch.equal(both.vision_encoder(pixels).last_hidden_state, tuned.vision_encoder(pixels).last_hidden_state)


def test_what_cannot_be_run_is_reported_before_anything_is_written(quick, photos, tmp_path):
    for changes, message in [
        (
            {"batch_size": 3, "accumulate": 2},
            "batch_size=3 cannot be shared by 1 processes in 2 parts each: give a multiple of 2",
        ),
        ({"sizes": "8"}, "sizes 8: smaller than the 16 px that the model needs"),
        ({"model": "no-such-model"}, "no-such-model"),
        ({"data": (f"folder:{tmp_path}",)}, "expected a folder of images"),
    ]:
        with pytest.raises((ValueError, OSError), match=message):
            Tuning(quick(**changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_scores_come_back(tmp_path):
    scores = Scores.read(tmp_path / "none.json")
    assert scores.scores == []
    scores = Scores(tmp_path / "scores.json")
    for step, value in ((0, 0.5), (3, 0.7), (6, 0.7)):
        scores.scores.append(Score(step, {"a": value, "b": 0.1}, 1.5 * step))
    scores.write()
    again = Scores.read(tmp_path / "scores.json")
    assert again.scores == scores.scores
    assert again.best.step == 3
    assert again.best.mean == pytest.approx(0.4)


@pytest.fixture
def fresh_accelerator():
    """accelerate keeps one precision a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


def test_low_precision_is_that_of_the_encoder_alone(tuning, fresh_accelerator):
    run = tuning(way="full", precision="bf16", steps=2, validate_every=2, augment=False)
    model = run.predictor.model
    seen: dict[str, set[torch.dtype]] = {"encoder": set(), "decoder": set()}
    hooks = [
        model.vision_encoder.layers[1].mlp.register_forward_hook(lambda m, a, out: seen["encoder"].add(out.dtype)),
        model.mask_decoder.transformer.layers[0].mlp.register_forward_hook(lambda m, a, out: seen["decoder"].add(out.dtype)),
    ]
    losses = []
    step = run.trainer.step
    run.trainer.step = lambda parts: losses.append(step(parts)) or losses[-1]
    run.run()
    for hook in hooks:
        hook.remove()
    assert seen == {"encoder": {torch.bfloat16, torch.float32}, "decoder": {torch.float32}}  # float32: validation
    assert all(parameter.dtype == torch.float32 for parameter in run.trainer.module.parameters())
    exact = Tuned(prepare(basam.load(run.settings.model), "full", tuned_mode()))
    with torch.no_grad():
        assert losses[0]["loss"] == pytest.approx(exact(run.batches.make(0, 0, 1))["loss"].item(), rel=0.02)


def test_few_photographs_to_validate_on_are_reported_with_their_interval(quick, tmp_path, photos):
    said = []
    run = Tuning(quick(steps=1, validate_every=1), tmp_path / "one", trackers=(), report=said.append)
    run.run()
    (note,) = [text for text in said if "validation has" in text]
    assert "validation has 1 photograph, so its mean IoU is a single case" in note
    assert note.endswith("give more of them with --validation, or more photographs to tune on, of which a tenth is set aside")

    samples = run.portions[0].train
    portions = [replace(run.portions[0], val=samples[:5])]
    validator = Validator(run.predictor, portions, (64,), count=3, seed=0)
    score = validator.measure(0, 0.0, lambda sums: sums)
    values = []
    for sample in validator.samples[run.portions[0].title]:
        one = Validator(run.predictor, [replace(run.portions[0], val=(sample,))], (64,), count=3, seed=0)
        values.append(one.measure(0, 0.0, lambda sums: sums).mean)
    assert score.mean == pytest.approx(statistics.fmean(values))
    half = 4.303 * statistics.stdev(values) / math.sqrt(3)
    assert score.intervals == {run.portions[0].title: pytest.approx(half, rel=1e-3, abs=1e-6)}
    (note,) = validator.notes(score)
    assert f"has 3 photographs, so its mean IoU is known to ± {half:.2f} only (95 %)" in note
    assert note.endswith("raise --validate-count, there are 5")


def test_a_constant_schedule_is_extended_on_the_curve_of_a_longer_run(tuning):
    whole = tuning("whole", steps=6, schedule="constant").run()
    tuning("parts", steps=3, schedule="constant").run()
    extended = tuning("parts", steps=6, schedule="constant").run()
    scores = [[(score.step, score.by_data) for score in one.scores.scores] for one in (whole, extended)]
    assert scores[0] == scores[1]
    assert [step for step, _ in scores[0]] == [0, 3, 6]


@pytest.mark.parametrize(("device", "reason"), [("gpu", "is unknown"), ("cuda", "is not available")])
def test_a_device_that_is_not_there_is_refused_before_anything(quick, tmp_path, monkeypatch, device, reason):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr("basam.lab.tuning.fine_tuning.open_portions", None)
    with pytest.raises(basam.BasamError, match=f"device '{device}' {reason}"):
        Tuning(quick(), tmp_path / "run", device=device, trackers=())
    assert not (tmp_path / "run").exists()


def test_a_device_that_accelerate_does_not_use_is_refused():
    with pytest.raises(basam.BasamError, match="device 'mps' is not what accelerate uses here, which is 'cpu'"):
        check_device(torch.device("mps"), torch.device("cpu"))
    check_device(torch.device("cuda"), torch.device("cuda", 1))
    with pytest.raises(basam.BasamError, match="device 'cuda:0' is not what accelerate uses here, which is 'cuda:1'"):
        check_device(torch.device("cuda", 0), torch.device("cuda", 1))
