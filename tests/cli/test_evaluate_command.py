"""`basam evaluate`: what is typed arrives, what is wrong is reported, and the exit status says whether everything was read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from basam.cli import app
from basam.lab.data import open_dataset
from basam.method import BiasMode
from basam.model import write_mode
from tests.helpers.small_run import write_pairs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", 2)


@pytest.fixture(autouse=True)
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("basam.lab.evaluation.evaluating.write_report", lambda *_: None)


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_what_is_typed_arrives(root: Path, model: Path, tmp_path: Path) -> None:
    write_mode(tmp_path / "mode.json", BiasMode(slope=0.25))
    out = tmp_path / "run"
    options = ["--model", model, "--sizes", "64,native", "--methods", "plain,basam", "--mode", tmp_path / "mode.json"]
    options += ["--reach", "trained"]
    options += ["--prompts", "noisy-box:0.2,k-points:2+1", "--metrics", "iou,mae", "--limit", 1, "--seed", 7]
    result = call("folder", root, *options, "--workers", 0, "--out", out)
    assert result.exit_code == 0, result.output
    assert "noisy-box:0.2" in result.output
    assert "report.html" in result.output
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert (settings["mode"]["slope"], settings["mode"]["reach"]) == (0.25, "trained")
    expected = {"sizes": [64, "native"], "methods": ["plain", "basam"], "metrics": ["iou", "mae"], "limit": 1, "seed": 7}
    assert {name: settings[name] for name in expected} == expected
    assert settings["prompts"] == ["noisy-box:0.2", "k-points:2+1"]
    assert len((out / "per_image.jsonl").read_text().splitlines()) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sizes", "64,big"], "'big': 'native' or a number of pixels"),
        (["--prompts", "mind-reading"], "prompt 'mind-reading' is unknown"),
        (["--metrics", ","], "names separated by commas"),
        (["--split", "winter"], "no split 'winter'"),
        (["--mode", "absent.json"], "absent.json: no such mode file"),
        (["--mask-values", "half"], "mask values 'half': nonzero, threshold, label=K or instances is needed"),
        (["--detections", "boxes.json"], "detections are prompts for COCO only"),
    ],
)
def test_what_cannot_be_run_is_reported_before_anything_is_written(
    options: list[str], message: str, root: Path, tmp_path: Path
) -> None:
    result = call("folder", root, *options, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "run").exists()


def test_boxes_of_a_detector(coco_root: Path, model: Path, tmp_path: Path) -> None:
    """The boxes of the ground truth as detections give the masks, and so the AP, of the prompt gt-box."""
    dataset = open_dataset("coco", coco_root)
    boxes = []
    for sample in dataset:
        for instance in sample.load().instances:
            ys, xs = instance.mask.nonzero()
            bbox = [int(xs.min()), int(ys.min()), int(xs.max() - xs.min() + 1), int(ys.max() - ys.min() + 1)]
            boxes.append({"image_id": int(sample.id), "category_id": instance.category_id, "bbox": bbox, "score": 0.9})
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    options = ["--model", model, "--sizes", "64", "--methods", "plain", "--metrics", "iou", "--workers", 0]
    result = call("coco", coco_root, *options, "--detections", tmp_path / "boxes.json", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    truth, detector = json.loads((tmp_path / "run" / "summary.json").read_text())["rows"]
    assert detector["prompt"] == "detector-box"
    assert "iou" not in detector
    assert detector["count"] == truth["count"] == len(boxes)
    lines = [json.loads(line) for line in (tmp_path / "run" / "per_image.jsonl").read_text().splitlines()]
    masks: dict[str, list[Any]] = {"gt-box": [], "detector-box": []}
    for line in lines:
        masks[line["prompt"]] += [instance["rle"] for instance in line["instances"]]
        assert all(instance["score"] == 0.9 for instance in line["instances"] if line["prompt"] == "detector-box")
    assert masks["gt-box"] == masks["detector-box"]

    (tmp_path / "boxes.json").write_text(json.dumps(boxes[:1]))
    again = call("coco", coco_root, *options, "--detections", tmp_path / "boxes.json", "--out", tmp_path / "run")
    assert again.exit_code == 2
    assert "data sha256 of detections was" in again.output


@pytest.fixture
def coco_root(tmp_path: Path) -> Path:
    """Two images with two rectangles each, in COCO's layout."""

    root = tmp_path / "COCO"
    (root / "annotations").mkdir(parents=True)
    (root / "val2017").mkdir()
    images, annotations = [], []
    for number in (1, 2):
        Image.new("RGB", (80, 60), (40 * number, 90, 120)).save(root / "val2017" / f"{number:012d}.jpg")
        images.append({"id": number, "file_name": f"{number:012d}.jpg", "width": 80, "height": 60})
        for left in (8, 44):
            polygon = [left, 10, left + 28, 10, left + 28, 50, left, 50]
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": 3, "iscrowd": 0, "area": 1120}
            annotations.append(entry | {"segmentation": [polygon], "bbox": [left, 10, 28, 40]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "box"}]}
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    return root


def test_the_device_is_said_and_kept(root: Path, model: Path, tmp_path: Path) -> None:
    options = ["--model", model, "--sizes", "64", "--methods", "plain,focus", "--focus-context", "1.5", "--metrics", "iou"]
    result = call("folder", root, *options, "--device", "cpu", "--workers", 0, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "device: cpu" in result.output
    assert "focus 64 - plain 64" in result.output
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["sessions"][0]["device"] == "cpu"
    assert run["settings"]["focus"]["context"] == 1.5


def test_a_context_without_regions_is_refused(root: Path, model: Path, tmp_path: Path) -> None:
    result = call("folder", root, "--model", model, "--focus-context", "3", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "focus context 3 is of the methods focus and focus-plain, given are resize, plain, basam" in result.output


@pytest.mark.parametrize("module", ["cv2", "py_sod_metrics", "faster_coco_eval", "matplotlib.figure"])
def test_a_missing_extra_is_one_line_before_any_work(
    root: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = call("folder", root, "--model", model, "--workers", 2, "--device", "cpu", "--out", tmp_path / "run")
    assert result.exit_code == 2
    (line,) = [line for line in result.output.splitlines() if line.strip() and not line.startswith("device:")]
    assert line.startswith(f"error: {module} cannot be imported")
    assert line.endswith('in the clone of basam, pip install -e ".[evaluate]"')
    assert not (tmp_path / "run").exists()
