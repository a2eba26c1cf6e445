"""What `evaluate` does with label maps, ignored pixels, photographs smaller than a patch, and data without one usable mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from basam.lab.benchmarking import BenchmarkSettings, benchmark
from basam.lab.data import Source
from basam.lab.evaluation.evaluating import NothingMeasuredError, evaluate
from basam.lab.evaluation.store import RunMismatchError


@pytest.fixture(autouse=True)
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take longer than all the rest."""
    monkeypatch.setattr("basam.lab.evaluation.evaluating.write_report", lambda *_: None)


def relabel(pairs: Path, names: tuple[str, ...] = ("photo00", "photo01", "photo02", "photo03")) -> None:
    """Masks become maps: two objects with the numbers 3 and 9, and a border of 255."""
    for name in names:
        path = pairs / "masks" / f"{name}.png"
        inside = np.array(Image.open(path)) > 0
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        labels = np.zeros(inside.shape, dtype=np.uint8)
        labels[rows[0] - 2 : rows[-1] + 3, columns[0] - 2 : columns[-1] + 3] = 255
        labels[inside] = 3
        labels[rows[0] : rows[0] + 5, columns] = 9
        Image.fromarray(labels).save(path)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "per_image.jsonl").read_text().splitlines()]


def test_every_number_is_an_object_with_a_prompt_of_its_own(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    relabel(pairs)
    settings = make_settings(mask_values="instances", sizes=(64,), methods=("plain",), metrics=("iou",))
    outcome = evaluate(settings, tmp_path / "run", workers=0)
    assert outcome.summary is not None
    assert outcome.summary["rows"][0]["count"] == 8
    assert [one["id"] for one in lines(tmp_path / "run")[0]["instances"]] == ["3", "9"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["mask_values"] == "instances"
    with pytest.raises(RunMismatchError, match='mask_values was "instances", now "nonzero"'):
        evaluate(make_settings(mask_values="nonzero", sizes=(64,), methods=("plain",), metrics=("iou",)), tmp_path / "run")


def test_ignored_pixels_are_left_out_of_the_figures(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    relabel(pairs)
    settings = make_settings(mask_values="nonzero", sizes=(64,), methods=("plain",), metrics=("iou",), limit=1)
    outcome = evaluate(settings, tmp_path / "run", workers=0)
    (line,) = lines(tmp_path / "run")
    from basam.masks import decode_segmentation

    labels = np.array(Image.open(pairs / "masks" / "photo00.png"))
    predicted = decode_segmentation(line["instances"][0]["rle"], *labels.shape) & (labels != 255)
    truth = (labels == 3) | (labels == 9)
    assert line["instances"][0]["metrics"]["iou"] == pytest.approx((predicted & truth).sum() / (predicted | truth).sum())
    assert outcome.issues is not None
    assert not outcome.issues.broken


def test_label_maps_are_refused_one_by_one(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    relabel(pairs, ("photo01",))
    outcome = evaluate(make_settings(sizes=(64,), methods=("plain",), metrics=("iou",)), tmp_path / "run", workers=0)
    assert outcome.issues is not None
    assert outcome.summary is not None
    (issue,) = outcome.issues.broken
    assert issue.where.endswith("photo01.png")
    assert issue.detail.startswith("values 0, 3, 9, 255; say what they mean: --mask-values")
    assert outcome.summary["rows"][0]["images"] == 3


def test_a_run_without_one_usable_mask_says_so(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    relabel(pairs)
    words = r"nothing was measured.* 4 photographs .*--mask-values.*values 0, 3, 9, 255"
    with pytest.raises(NothingMeasuredError, match=words):
        evaluate(make_settings(sizes=(64,), methods=("plain",), metrics=("iou",)), tmp_path / "run", workers=0)
    assert all("issues" in line for line in lines(tmp_path / "run"))
    with pytest.raises(NothingMeasuredError, match="mask without a pixel"):
        evaluate(make_settings(mask_values="label=4", metrics=("iou",)), tmp_path / "other", workers=0)
    settings = BenchmarkSettings(data=(f"folder:{pairs}",), model=make_settings().model, sizes=(64,))
    with pytest.raises(NothingMeasuredError):
        benchmark(settings, tmp_path / "benchmark", workers=0)


def test_a_benchmark_reads_folders_by_the_rule(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    relabel(pairs)
    settings = BenchmarkSettings(
        data=(f"folder:{pairs}",), model=make_settings().model, sizes=(64,), mask_values="instances", limit=1
    )
    assert benchmark(settings, tmp_path / "benchmark", workers=0).rows[0]["count"] == 2
    with pytest.raises(ValueError, match="mask values 'nonzero' are for data of kind 'folder', and none is given"):
        BenchmarkSettings(data=("duts:anywhere",), mask_values="nonzero")
    with pytest.raises(ValueError, match="mask values 'any'"):
        BenchmarkSettings(data=("folder:anywhere",), mask_values="any")
    assert Source.parse(f"folder:{pairs}").open(mask_values="label=3")[0].load().instances[0].id == "0"


def test_a_photograph_smaller_than_a_patch_is_one_issue(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    small = np.zeros((9, 12), dtype=np.uint8)
    small[2:5, 3:6] = 255
    Image.fromarray(small).save(pairs / "masks" / "photo01.png")
    Image.fromarray(small).save(pairs / "images" / "photo01.png")
    settings = make_settings(sizes=("native",), methods=("plain", "basam"), metrics=("iou",))
    outcome = evaluate(settings, tmp_path / "run", workers=0)
    assert outcome.issues is not None
    assert outcome.summary is not None
    (issue,) = outcome.issues
    assert (issue.problem, issue.detail) == ("small-image", "12 x 9 pixels, a patch has 16 x 16")
    assert issue.where.endswith("photo01.png")
    assert [row["images"] for row in outcome.summary["rows"]] == [3, 3]
    enlarged = evaluate(make_settings(sizes=(64,), metrics=("iou",)), tmp_path / "enlarged", workers=0)
    assert enlarged.summary is not None
    assert not list(enlarged.issues or ())
    assert enlarged.summary["rows"][0]["images"] == 4
