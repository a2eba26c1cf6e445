"""`basam benchmark`: every row is measured where it belongs, and the table, the JSON and the plot say the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.lab.tuning import adapter_of, prepare, tuned_mode
from basam.model import model_fingerprint, write_adapter
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_sam


@pytest.fixture(autouse=True)
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("basam.lab.evaluation.evaluating.write_report", lambda *_: None)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base, an adapter of it, and two data sets."""
    root = tmp_path_factory.mktemp("benchmark")
    tiny_sam().save_pretrained(root / "base")
    model = basam.load(root / "base")
    fingerprint = model_fingerprint(model)
    prepare(model, "bias", tuned_mode(), slope=2.0)
    found = {"tuned": "bias", "steps": 9, "kept": 6, "seconds": 90.0, "sizes": "64-96"}
    write_adapter(root / "adapter", adapter_of(model, "base", fingerprint), "", found)
    pairs = write_pairs(root / "pairs", 2)
    for part, folder in (("im", "images"), ("gt", "masks")):
        shutil.copytree(pairs / folder, root / "dis" / "DIS-TE1" / part)
    return {"root": root, "base": root / "base", "adapter": root / "adapter", "folder": pairs, "dis5k": root / "dis"}


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments), "--workers", "0"])


def test_one_table(given: dict[str, Path], tmp_path: Path) -> None:
    data = ["--data", f"folder:{given['folder']}", "--data", f"dis5k:{given['dis5k']}"]
    adapters = ["--adapter", f"thin={given['adapter']}@dis5k", "--adapter", f"all={given['adapter']}"]
    options = ["--model", given["base"], "--sizes", "64,96", "--prompts", "gt-box", "--out", tmp_path]
    result = call(*data, *adapters, *options)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "benchmark.json").read_text())
    assert content["titles"] == {"folder": "pairs all", "dis5k": "DIS5K DIS-TE1"}
    iou = {(row["candidate"], row["kind"], row["method"], row["size"]): row["iou"] for row in content["rows"]}
    assert len(iou) == 2 * 2 * (2 + 2) + 2
    assert ("thin", "folder", "basam", 64) not in iou
    assert iou["thin", "dis5k", "basam", 64] == iou["all", "dis5k", "basam", 64]
    assert iou["all", "dis5k", "plain", 96] == iou["zero-shot", "dis5k", "plain", 96]  # nothing but slopes was tuned
    assert iou["all", "dis5k", "basam", 96] != iou["zero-shot", "dis5k", "basam", 96]
    page = (tmp_path / "benchmark.md").read_text()
    assert f"| all, corrected | {iou['all', 'folder', 'basam', 64]:.3f} |" in page
    assert "| thin, corrected | - | - |" in page
    assert "thin, uncorrected" not in page
    assert "| all | bias | 4 | 0 | 64-96 | 9 | 6 | 1.5 |" in page
    assert (tmp_path / "iou_gt-box.png").stat().st_size > 10_000
    assert "IoU, prompt gt-box, size 96" in result.output


def test_rows_asked_with_focus(given: dict[str, Path], tmp_path: Path) -> None:
    adapters = ["--adapter", f"thin={given['adapter']}@folder"]
    options = ["--model", given["base"], "--sizes", "96", "--prompts", "gt-box,gt-point", "--focus", "--out", tmp_path]
    result = call("--data", f"folder:{given['folder']}", *adapters, *options)
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    found = {(row["candidate"], row["method"], row["size"], row["prompt"]): row["iou"] for row in rows}
    expected = {("zero-shot", "plain", 96), ("zero-shot", "basam", 96), ("zero-shot", "focus", 64)}
    expected |= {("thin", "basam", 96), ("thin", "focus", 64)}
    assert {key[:3] for key in found} == expected
    assert len(found) == 2 * len(expected)
    page = (tmp_path / "benchmark.md").read_text()
    regions = page.split("### Prompt gt-box, regions of 64 px")[1].split("###")[0]
    assert f"| thin, with focus | {found['thin', 'focus', 64, 'gt-box']:.3f} |" in regions
    assert "corrected" not in regions
    assert "with focus" not in page.split("### Prompt gt-box, 96 px")[1].split("###")[0]
    # As `basam evaluate --methods focus` measures it.
    alone = ["evaluate", "folder", given["folder"], "--model", given["base"], "--methods", "focus", "--prompts", "gt-box"]
    alone += ["--metrics", "iou", "--workers", "0", "--out", tmp_path / "alone"]
    assert CliRunner().invoke(app, list(map(str, alone))).exit_code == 0
    (row,) = json.loads((tmp_path / "alone" / "summary.json").read_text())["rows"]
    assert row["iou"] == found["zero-shot", "focus", 64, "gt-box"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--adapter", "thin"], "NAME=FOLDER or NAME=FOLDER@KIND,KIND is needed"),
        (["--adapter", "zero-shot=here"], "with a name of its own"),
        (["--adapter", "a=here@coco"], "is for data of kind 'coco'; there are folder"),
        (["--adapter", "a=./nowhere"], "nowhere"),
        (["--sizes", "big"], "'native' or a number of pixels"),
    ],
)
def test_what_cannot_be_compared(given: dict[str, Path], options: list[str], message: str, tmp_path: Path) -> None:
    result = call("--data", f"folder:{given['folder']}", "--model", given["base"], *options, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()
    twice = call("--data", f"folder:{given['folder']}", "--data", f"folder:{given['root']}", "--out", tmp_path / "out")
    assert "at least one" in twice.output
