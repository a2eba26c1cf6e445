"""What `evaluate` does with a data set: each combination once, each image encoded once, broken files named."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from basam.lab.data import PromptSpec, make_prompt, open_dataset
from basam.lab.evaluation.evaluating import chosen, evaluate
from basam.lab.evaluation.runner import Runner
from basam.lab.evaluation.store import RunMismatchError
from basam.lab.metrics import summarise
from basam.method import BiasMode
from basam.predict import Predictor


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take longer than all the rest."""
    monkeypatch.setattr("basam.lab.evaluation.evaluating.write_report", lambda *_: None)


def read(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "per_image.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("without_report")
def test_every_combination_is_a_row(make_settings: Any, tmp_path: Path) -> None:
    prompts = (PromptSpec("gt-box"), PromptSpec("none"))
    outcome = evaluate(make_settings(prompts=prompts), tmp_path / "run", workers=0)
    assert outcome.summary is not None
    rows = outcome.summary["rows"]
    encodings = [("resize", 64), ("plain", 64), ("basam", 64), ("plain", 96), ("basam", 96)]
    assert [(row["prompt"], row["method"], row["size"]) for row in rows] == [
        (prompt, *encoding) for prompt in ("gt-box", "none") for encoding in encodings
    ]
    assert all(row["images"] == row["count"] == 4 for row in rows)
    with (tmp_path / "run" / "summary.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["iou"]) for row in table] == [row["iou"] for row in rows]


@pytest.mark.usefixtures("without_report")
def test_figures_are_those_of_the_predictor(make_settings: Any, tmp_path: Path) -> None:
    settings = make_settings(methods=("basam",), sizes=(96,), metrics=("iou",), mode=BiasMode(slope=0.3))
    outcome = evaluate(settings, tmp_path / "run", workers=0)
    predictor = Predictor.from_pretrained(settings.model, settings.mode)
    expected = []
    for sample in open_dataset("folder", settings.root):
        loaded = sample.load()
        predictor.set_image(loaded.image, long_side=96)
        truth = loaded.instances[0].mask
        prompt = make_prompt(settings.prompts[0], truth, seed=0, sample_id=sample.id, instance_id="0")
        masks, _, _ = predictor.predict(**prompt.arguments(), multimask_output=False)
        expected.append((masks[0] & truth).sum() / (masks[0] | truth).sum())
    assert outcome.summary is not None
    assert outcome.summary["rows"][0]["iou"] == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.usefixtures("without_report")
def test_an_image_is_encoded_once_for_all_prompts(make_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[tuple[str, bool, int]] = []
    set_image = Predictor.set_image

    def counting(self: Predictor, image: Any, **options: Any) -> None:
        encoded.append((self.attachment.mode.scaling, options["square"], options["long_side"]))
        set_image(self, image, **options)

    monkeypatch.setattr(Predictor, "set_image", counting)
    prompts = (PromptSpec("gt-box"), PromptSpec("gt-point"), PromptSpec("k-points"))
    evaluate(make_settings(prompts=prompts, limit=1), tmp_path / "run", workers=0)
    assert encoded == [("none", True, 64), ("none", False, 64), ("log", False, 64), ("none", False, 96), ("log", False, 96)]


@pytest.mark.usefixtures("without_report")
def test_workers_measure_the_same(make_settings: Any, tmp_path: Path) -> None:
    alone = evaluate(make_settings(limit=2), tmp_path / "alone", workers=0)
    beside = evaluate(make_settings(limit=2), tmp_path / "beside", workers=1)
    assert alone.summary == beside.summary
    assert beside.worked > 0


def test_corrupt_image_is_named_and_the_rest_evaluated(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    whole = pairs / "images" / "photo02.png"
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    outcome = evaluate(make_settings(sizes=(64,)), tmp_path / "run", workers=0)
    assert outcome.summary is not None
    assert outcome.issues is not None
    assert [issue.where for issue in outcome.issues.broken] == [str(whole)]
    assert all(row["images"] == 3 for row in outcome.summary["rows"])
    report = (tmp_path / "run" / "report.html").read_text()
    assert f"{whole}: image cannot be read" in report
    assert "1 could not be read and are in no figure" in report

    whole.write_bytes(content)  # repaired, it joins the others, and the report no longer complains
    repaired = evaluate(make_settings(sizes=(64,)), tmp_path / "run", workers=0)
    unbroken = evaluate(make_settings(sizes=(64,)), tmp_path / "unbroken", workers=0)
    assert repaired.summary == unbroken.summary


@pytest.mark.usefixtures("without_report")
def test_a_run_of_other_settings_is_refused(make_settings: Any, tmp_path: Path) -> None:
    evaluate(make_settings(limit=1), tmp_path / "run", workers=0)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    message = r"seed was 0, now 1; sizes was 64,96, now 64 \(without 96\)\. Give the same settings"
    with pytest.raises(RunMismatchError, match=message):
        evaluate(make_settings(limit=1, seed=1, sizes=(64,)), tmp_path / "run", workers=0)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("without_report")
def test_another_model_in_the_same_folder_is_refused(make_settings: Any, tmp_path: Path) -> None:
    from tests.helpers.tiny import tiny_sam

    evaluate(make_settings(limit=1), tmp_path / "run", workers=0)
    tiny_sam(seed=1).save_pretrained(tmp_path / "other")
    with pytest.raises(RunMismatchError, match="model sha256 was"):
        evaluate(make_settings(limit=1, model=str(tmp_path / "other")), tmp_path / "run", workers=0)


@pytest.mark.usefixtures("without_report")
def test_a_finished_run_is_not_measured_again(make_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(make_settings(), tmp_path / "run", workers=0)

    def fail(*_: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(Runner, "run_variant", fail)
    assert evaluate(make_settings(), tmp_path / "run", workers=0).summary == first.summary


def test_a_limit_is_spread_over_the_data_set(pairs: Path) -> None:
    dataset = open_dataset("folder", pairs)
    assert [sample.id for sample in chosen(dataset, 2)] == ["images/photo00", "images/photo02"]
    assert chosen(dataset, 9) == list(dataset)


@pytest.mark.usefixtures("without_report")
def test_lines_hold_masks_at_the_size_of_the_image(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    evaluate(make_settings(), tmp_path / "run", workers=0)
    for line in read(tmp_path / "run"):
        with Image.open(pairs / f"{line['sample']}.png") as image:
            assert [one["rle"]["size"] for one in line["instances"]] == [[image.height, image.width]]
    records = [line["instances"][0]["metrics"] for line in read(tmp_path / "run") if line["method"] == "resize"]
    rows = json.loads((tmp_path / "run" / "summary.json").read_text())["rows"]
    assert {name: rows[0][name] for name in ("count", "iou", "mae", "f_max")} == {
        name: value for name, value in summarise(records).items() if name in ("count", "iou", "mae", "f_max")
    }
