"""`basam tune`: what is typed arrives, and what is wrong is reported with exit status 2."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.method import BiasMode
from basam.model import attachment_of, write_mode
from tests.helpers.small_run import write_pairs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", 6)


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["tune", *map(str, arguments), "--tracker", "none"])


def test_what_is_typed_arrives(root: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    write_mode(tmp_path / "mode.json", BiasMode(decoder="log", slope=0.5))
    options = "--tune lora --rank 3 --sizes 64-96 --steps 2 --batch-size 2 --validate-every 1 --validate-sizes 64 --seed 4"
    options += " --prompts gt-box --slope 0.2 --boundary 2 --no-augment --no-checkpointing --sampling proportional"
    given = ["--data", f"folder:{root}", "--model", model, *options.split(), "--mode", tmp_path / "mode.json", "--out", out]
    result = call(*given)
    assert result.exit_code == 0, result.output
    for text in ("LoRA", "slopes", "100.00%", "step 1: IoU", f"wrote {out}/adapter"):
        assert text in result.output
    mode = json.loads((out / "adapter" / "mode.json").read_text())
    assert mode["mode"] == {**mode["mode"], "slopes": "learned", "schedule": "constant", "decoder": "log", "slope": 0.5}
    assert (mode["found"]["seed"], mode["found"]["tuned"], mode["found"]["sizes"]) == (4, "lora", "64-96")
    learned = attachment_of(basam.load(model, adapter=out / "adapter")).learned
    assert learned().mean().item() == pytest.approx(0.2, rel=0.1)

    again = call(*given, "--merge", tmp_path / "merged")
    assert again.exit_code == 0, again.output
    assert "step 1/2" not in again.output  # nothing was left to do
    assert type(basam.load(tmp_path / "merged")).__name__ == "SamModel"


def test_regions_are_trained_on(root: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--focus", "--tune", "bias", "--steps", 1, "--batch-size", 2]
    result = call("--data", f"folder:{root}", "--model", model, *options, "--out", out)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "adapter" / "mode.json").read_text())
    assert (found["found"]["trained on"], found["found"]["sizes"]) == ("regions of prompts", "64")
    again = call("--data", f"folder:{root}", "--model", model, *options[1:], "--out", out)
    assert again.exit_code == 2
    assert "focus was {'context': 2.0" in " ".join(again.output.split())


def test_the_adapter_is_segmented_and_evaluated_with(root: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--tune", "bias", "--sizes", 64, "--steps", 1, "--batch-size", 2, "--slope", 3]
    assert call("--data", f"folder:{root}", "--model", model, *options, "--out", out).exit_code == 0
    photo = root / "images" / "photo00.png"
    scores = {}
    tuned = ["--adapter", out / "adapter"]
    for name, more in (("tuned", tuned), ("plain", ["--plain"]), ("off", [*tuned, "--plain"])):
        words = ["segment", photo, "--model", model, "--out", tmp_path / name, "--json", *more]
        result = CliRunner().invoke(app, list(map(str, words)))
        assert result.exit_code == 0, result.output
        scores[name] = json.loads(result.stdout)[0]["predicted_iou"]
    assert scores["off"] == scores["plain"] != scores["tuned"]
    # One switch changes one field: slopes stay those that were learned.
    words = ["segment", photo, "--model", model, *tuned, "--reach", "trained", "--out", tmp_path / "near", "--json"]
    row = json.loads(CliRunner().invoke(app, list(map(str, words))).stdout)[0]
    assert row["slope"] is None  # learned
    assert row["predicted_iou"] not in scores.values()
    words = ["evaluate", "folder", root, "--model", model, "--adapter", out / "adapter", "--sizes", 64, "--methods", "basam"]
    result = CliRunner().invoke(
        app, list(map(str, [*words, "--metrics", "iou", "--workers", 0, "--limit", 1, "--out", tmp_path / "evaluated"]))
    )
    assert result.exit_code == 0, result.output
    run = json.loads((tmp_path / "evaluated" / "run.json").read_text())
    assert run["settings"]["mode"]["slopes"] == "learned"
    assert run["model"]["slopes"][0] == pytest.approx([3, 3], rel=0.1)


@pytest.mark.parametrize("workers", [0, 1])
def test_photographs_that_cannot_be_read_are_reported(root: Path, model: Path, tmp_path: Path, workers: int) -> None:
    for name in ("photo01", "photo02"):  # one of them at least is trained on; their headers still say their sizes
        path = root / "images" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:200])
    options = ["--sizes", 64, "--steps", 8, "--batch-size", 2, "--validate-every", 8, "--workers", workers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = call("--data", f"folder:{root}", "--model", model, *options, "--out", tmp_path / "run")
    assert result.exit_code == 1, result.output
    assert re.search(r"image cannot be read \[broken\]: .*photo0[12].png", " ".join(result.output.split()))
    assert (tmp_path / "run" / "adapter").is_dir()


def test_masks_are_read_by_the_rule(root: Path, model: Path, tmp_path: Path) -> None:
    for path in (root / "masks").iterdir():
        labels = (np.array(Image.open(path)) > 0) * np.uint8(7)
        labels[:3] = 2
        Image.fromarray(labels).save(path)
    given = ["--data", f"folder:{root}", "--model", model, "--sizes", 64, "--steps", 1, "--batch-size", 2]
    result = call(*given, "--out", tmp_path / "refused")
    assert result.exit_code == 2
    assert "values 0, 2, 7; say what they mean: --mask-values" in " ".join(result.output.split())
    result = call(*given, "--mask-values", "label=7", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "values of masks: label=7" in (tmp_path / "run" / "adapter" / "README.md").read_text()
    result = call(*given, "--mask-values", "label=2", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "mask_values was 'label=7', now 'label=2'" in " ".join(result.output.split())


def test_nothing_but_broken_photographs(root: Path, model: Path, tmp_path: Path) -> None:
    for path in (root / "images").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    result = call("--data", f"folder:{root}", "--model", model, "--sizes", 64, "--steps", 2, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "can be read" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tune", "hat"], "'hat' is not one of 'bias', 'decoder', 'lora', 'full'"),
        (["--sizes", "big"], "sizes 'big': LOW-HIGH, one number of pixels or 'native'"),
        (["--rate", "0"], "rate=0.0: a number above 0 is needed"),
        (["--slope", "-1"], "slope=-1.0: a number above 0 is needed"),
        (["--mode", "absent.json"], "absent.json: no such mode file"),
        (["--data", "folder:nowhere"], "nowhere: no such folder"),
        (["--validate-sizes", "64,big"], "numbers separated by commas are needed"),
    ],
)
def test_what_cannot_be_run_is_reported(options: list[str], message: str, root: Path, model: Path, tmp_path: Path) -> None:
    given = ["--data", f"folder:{root}", "--model", model, *options, "--out", tmp_path / "run"]
    result = call(*given)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "run" / "adapter").exists()
