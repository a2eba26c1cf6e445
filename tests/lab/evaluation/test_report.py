"""Report and plots: what a reader must find in them, and that nothing is fetched from a network."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from basam.lab.benchmarking import page
from basam.lab.data import PromptSpec
from basam.lab.evaluation.evaluating import evaluate
from basam.lab.evaluation.methods import METHODS
from basam.lab.evaluation.plots import metric_against_size, new_figure, widen
from basam.lab.evaluation.settings import EvaluateSettings
from tests.helpers.small_run import write_pairs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    root = write_pairs(tmp_path_factory.mktemp("report") / "data", 3)
    prompts = (PromptSpec("gt-box"), PromptSpec("gt-point"))
    metrics = ("iou", "mae", "f_measure")
    settings = EvaluateSettings(
        kind="folder", root=str(root), model=str(model_folder), sizes=(64, 96), prompts=prompts, metrics=metrics
    )
    return evaluate(settings, root.parent / "run", workers=0, command=["basam", "evaluate", "folder", "a&b"]).folder


@pytest.fixture
def report(run: Path) -> str:
    return (run / "report.html").read_text()


def test_report_says_what_was_done(report: str) -> None:
    for text in ("data all", "Prompt gt-box", "Prompt gt-point", "IoU", "MAE", "Problems of the data", "None found"):
        assert text in report
    assert "basam evaluate folder a&amp;b" in report
    assert "&quot;slope&quot;: 0.1" in report
    assert "Stand-in" not in report


def test_report_needs_no_network(report: str) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link", re.sub(r"base64,[^']+", "", report))
    sources = re.findall(r"src='([^']{0,40})", report)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_plots_are_drawn(report: str, run: Path) -> None:
    plots = sorted(path.name for path in (run / "plots").iterdir())
    expected = [
        f"{kind}_{prompt}.png" for kind in ("metric-against-size", "precision-recall") for prompt in ("gt-box", "gt-point")
    ]
    assert [name for name in plots if not name.startswith("gallery")] == sorted(expected)
    assert {"gallery_1.png", "gallery_2.png"} <= set(plots)
    assert report.count("<img") == len(plots)
    for name in plots:
        with Image.open(run / "plots" / name) as image:
            assert min(image.size) > 200
            assert np.asarray(image.convert("L")).std() > 5  # something is on it


def test_stand_ins_are_labelled(make_settings: Any, tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "pairs", 2)
    for ours, theirs in (("images", "DUTS-TE-Image"), ("masks", "DUTS-TE-Mask")):
        shutil.copytree(root / ours, tmp_path / "mine" / "DUTS-TE" / theirs)
    settings = make_settings(kind="duts", root=str(tmp_path / "mine"), name="standin-DUTS", sizes=(64,), metrics=("iou",))
    outcome = evaluate(settings, tmp_path / "run", workers=0)
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Stand-in data" in report
    assert "<b>standin-DUTS</b>" in report
    assert outcome.summary is not None
    assert outcome.summary["data"] == "standin-DUTS DUTS-TE"
    assert outcome.summary["stand-in"]


def test_problems_of_the_data_are_listed(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    (pairs / "masks" / "photo01.png").unlink()
    outcome = evaluate(make_settings(sizes=(64,)), tmp_path / "run", workers=0)
    report = (tmp_path / "run" / "report.html").read_text()
    assert "1 x image without a mask [left out]" in report
    assert "photo01.png" in report
    assert outcome.issues is not None
    assert not outcome.issues.broken


def test_dollars_in_names_are_no_formulas(tmp_path: Path) -> None:
    rows = [{"size": 64, "method": "plain", "prompt": "gt-box", "iou": 0.5}]
    assert metric_against_size(rows, r"price $5 [new] $\frac{", tmp_path / "plot.png").is_file()


def test_no_two_methods_look_alike() -> None:
    for look in ("label", "colour", "marker", "line"):
        assert len({getattr(method, look) for method in METHODS.values()}) == len(METHODS), look
    assert len({page.colour_of(index) for index in range(30)}) == 30


@pytest.mark.parametrize(
    ("values", "least"),
    [((0.8, 0.8001), 0.08), ((0.001, 0.0011), 0.05), ((0.2, 0.7), 0.5), ((120.0, 121.0), 12.0)],
)
def test_a_small_gap_does_not_fill_the_axis(values: tuple[float, float], least: float) -> None:
    _, axes = new_figure(1, 1, 3, 3)
    axis = axes[0, 0]
    axis.plot([0, 1], values)
    widen(axis)
    low, high = axis.get_ylim()
    assert high - low >= least
    assert 0 <= low < values[0]
    assert values[1] < high


def test_intervals_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("basam.lab.evaluation.plots.save_figure", lambda figure, path: drawn.append(figure) or path)
    rows = [
        {"size": size, "method": method, "prompt": "gt-box", "iou": 0.5, "intervals": {"iou": 0.125}}
        for size, method in ((64, "resize"), (64, "focus"), (96, "focus"))
    ]
    metric_against_size(rows, "title", tmp_path / "plot.png")
    axis = drawn[0].axes[0]
    bars = [segment[:, 1].tolist() for bar in axis.containers for lines in bar.lines[2] for segment in lines.get_segments()]
    assert bars == [[0.375, 0.625]] * 3
