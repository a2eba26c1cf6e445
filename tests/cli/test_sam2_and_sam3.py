"""Every command on folders of SAM 2 and SAM 3: small models, photographs that are not square."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.model import attachment_of
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

BUILDERS = {"sam2": tiny_sam2, "sam3": tiny_sam3}


@pytest.fixture(scope="module", params=list(BUILDERS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / request.param
    BUILDERS[request.param]().save_pretrained(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", 4)


@pytest.fixture(autouse=True)
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("basam.lab.evaluation.evaluating.write_report", lambda *_: None)


def call(*arguments: object, status: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "250"})
    assert result.exit_code == status, result.output
    return result


def test_segment_reports_the_object_score(folder, root, tmp_path):
    Image.open(root / "images" / "photo00.png").resize((300, 200)).save(tmp_path / "photo.png")
    whole = ["segment", tmp_path / "photo.png", "--box", "30,20,200,150", "--no-focus", "--overwrite"]
    given = [*whole, "--model", folder, "--out", tmp_path / "out"]
    native_side = ("--long-side", "native")
    rows = {
        options: json.loads(call(*given, "--json", *native_side, *options).stdout)[0]
        for options in ((), ("--long-side", "130"), ("--aspect", "axes"), ("--aspect", "square"), ("--reach", "trained"))
    }
    # Padded to multiples of 32 px, or rounded to whole windows of 42 px; see docs/models.md.
    native, smaller = (14 * 20, 6 * 10) if folder.name == "sam2" else (15 * 21, 6 * 9)
    assert (rows[()]["tokens"], rows["--long-side", "130"]["tokens"]) == (native, smaller)
    assert 0 < rows[()]["object_score"] < 1
    own, other = ("axes", "square") if folder.name == "sam2" else ("square", "axes")
    assert rows["--aspect", own]["predicted_iou"] == rows[()]["predicted_iou"] != rows["--aspect", other]["predicted_iou"]
    assert rows["--reach", "trained"]["predicted_iou"] != rows[()]["predicted_iou"]
    assert rows["--reach", "trained"]["lambda"] == 1
    mask = Image.open(rows[()]["mask"])
    assert mask.size == (300, 200)
    assert "object" in call(*given).stdout
    assert "object" not in call(*given[:-3], "nano", *given[-2:]).stdout


def test_info_names_the_family_and_the_grid(folder):
    found = json.loads(call("info", folder, "--json").stdout)
    expected = ("SAM 2 or 2.1 Hiera 16 x 8", 64) if folder.name == "sam2" else ("SAM 3 ViT 32 x 4", 81)
    assert (found["architecture"], found["trained tokens"]) == expected


def test_evaluate_and_calibrate(folder, root, tmp_path):
    options = ["--model", folder, "--sizes", "200", "--metrics", "iou", "--workers", 0, "--out", tmp_path / "run"]
    call("evaluate", "folder", root, *options)
    lines = [json.loads(line) for line in (tmp_path / "run" / "per_image.jsonl").read_text().splitlines()]
    tokens = {line["method"]: line["tokens"] for line in lines}
    trained = 64 if folder.name == "sam2" else 81
    assert tokens["resize"] == trained  # squashed to the trained square
    assert tokens["plain"] == tokens["basam"] != trained
    options = ["--split", "all", "--count", 2, "--model", folder, "--sizes", "200", "--out", tmp_path / "mode.json"]
    call("calibrate", "folder", root, *options)
    assert len(json.loads((tmp_path / "mode.json").read_text())["found"]["candidates"]) > 8


@pytest.mark.parametrize("way", ["bias", "decoder", "lora", "full"])
def test_tune_writes_an_adapter_and_a_merged_model(folder, root, tmp_path, way):
    options = f"--tune {way} --sizes 128-200 --steps 2 --batch-size 2 --slope 0.2 --rate 1e-4 --tracker none".split()
    given = ["tune", "--data", f"folder:{root}", "--model", folder, *options, "--out", tmp_path / "run"]
    call(*given, "--merge", tmp_path / "merged")
    tuned = basam.load(folder, adapter=tmp_path / "run" / "adapter")
    assert attachment_of(tuned).learned().mean().item() == pytest.approx(0.2, rel=0.2)
    merged = basam.load(tmp_path / "merged")
    assert type(merged) is type(basam.load(folder))
    photo = root / "images" / "photo00.png"
    scores = []
    for model in (tuned, basam.load(folder)):
        predictor = basam.Predictor(model)
        predictor.set_image(photo)
        scores.append(predictor.predict(box=[4, 4, 40, 40])[1])
    assert (scores[0] != scores[1]).any()
