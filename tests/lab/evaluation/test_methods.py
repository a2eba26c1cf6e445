"""Several modes in one run, methods that do the same, maps as files, and tables for LaTeX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import py_sod_metrics
import pytest
from PIL import Image

from basam import BiasMode
from basam.lab import latex, markdown
from basam.lab.data import open_dataset
from basam.lab.evaluation import evaluate, with_modes
from basam.lab.evaluation.methods import METHODS, same_methods
from basam.lab.evaluation.settings import Variant


def test_modes_take_the_place_of_plain_and_basam() -> None:
    usual = ("resize", "plain", "basam", "focus")
    assert with_modes(usual, ["off", "published", "factor"]) == ("resize", "focus", "plain", "published", "factor")
    assert with_modes(usual, ["own"]) == ("resize", "focus", "basam")


def test_every_method_has_the_mode_of_its_name() -> None:
    own = BiasMode(strength=0.5)
    modes = {name: Variant(64, name).mode(own) for name in METHODS}
    assert modes["plain"] == modes["resize"] == modes["focus-plain"] == BiasMode.off()
    assert modes["published"] == BiasMode()
    assert modes["basam"] == modes["focus"] == own
    assert (modes["factor"].scaling, modes["factor"].slope) == ("log", 0)
    assert (modes["mask"].scaling, modes["mask"].slope) == ("none", BiasMode().slope)


def test_methods_that_do_the_same_are_named() -> None:
    usual = ("resize", "plain", "basam")
    assert same_methods(usual, BiasMode()) == []
    (note,) = same_methods(usual, BiasMode.off())
    assert "methods plain and basam are the same" in note
    assert "method published" in note
    assert same_methods(usual, BiasMode(strength=0.0, slope=0.3)) == [note]  # by what a mode does, not by its fields
    (note,) = same_methods(("published", "basam"), BiasMode())
    assert "methods published and basam are the same" in note
    (note,) = same_methods(("reach", "basam"), BiasMode(reach="trained", slope=0.3))
    assert "methods reach and basam are the same" in note
    assert len(same_methods(("plain", "basam", "focus-plain", "focus"), BiasMode.off())) == 2


def test_a_run_warns_of_methods_that_do_the_same(make_settings: Any, tmp_path: Path) -> None:
    methods = ("plain", "published", "basam")
    outcome = evaluate(make_settings(sizes=(96,), methods=methods, mode=BiasMode.off()), tmp_path / "run", workers=0)
    assert outcome.summary is not None
    assert len(outcome.summary["notes"]) == 1
    assert "are the same" in (tmp_path / "run" / "report.html").read_text()
    rows = {row["method"]: row["iou"] for row in outcome.summary["rows"]}
    assert rows["plain"] == rows["basam"] != rows["published"]


def test_a_photo_encoded_once_is_measured_on_parts(make_settings: Any, tmp_path: Path) -> None:
    evaluate(make_settings(sizes=(192,), methods=("plain", "pyramid"), metrics=("iou",)), tmp_path / "run", workers=0)
    lines = [json.loads(line) for line in (tmp_path / "run" / "per_image.jsonl").read_text().splitlines()]
    tokens = {method: {line["tokens"] for line in lines if line.get("method") == method} for method in ("plain", "pyramid")}
    assert max(tokens["pyramid"]) <= 16 < min(tokens["plain"])


def test_figures_can_be_recomputed_from_saved_maps(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    metrics = ("s_measure", "e_measure", "weighted_f", "mae_minmax", "iou")
    settings = make_settings(sizes=(96,), methods=("published",), metrics=metrics, save_maps=True)
    outcome = evaluate(settings, tmp_path / "run", workers=0)
    assert outcome.summary is not None
    library = {
        "s_measure": py_sod_metrics.Smeasure(),
        "weighted_f": py_sod_metrics.WeightedFmeasure(),
        "mae_minmax": py_sod_metrics.MAE(),
        "e_adaptive": py_sod_metrics.Emeasure(),
    }
    folder = tmp_path / "run" / "maps" / "published-96" / "gt-box"
    assert sorted(path.name for path in folder.iterdir()) == [f"photo{number:02d}.png" for number in range(4)]
    for sample in open_dataset("folder", pairs):
        found = np.asarray(Image.open(folder / f"{sample.image_path.stem}.png"))
        truth = sample.load().instances[0].mask
        assert (found.dtype, found.shape) == (np.uint8, truth.shape)
        for metric in library.values():
            metric.step(pred=found, gt=truth.astype(np.uint8) * 255)
    names = {"s_measure": "sm", "weighted_f": "wfm", "mae_minmax": "mae", "e_adaptive": "em"}
    (row,) = outcome.summary["rows"]
    for name, metric in library.items():
        value = metric.get_results()[names[name]]
        assert row[name] == pytest.approx(float(value["adp"] if isinstance(value, dict) else value), abs=1e-6), name


def test_maps_of_a_finished_run_are_made_later(make_settings: Any, tmp_path: Path) -> None:
    quick = {"sizes": (64,), "methods": ("plain",), "metrics": ("iou",)}
    before = evaluate(make_settings(**quick), tmp_path / "run", workers=0)
    assert not (tmp_path / "run" / "maps").exists()
    after = evaluate(make_settings(**quick, save_maps=True), tmp_path / "run", workers=0)
    assert after.summary == before.summary
    maps = sorted((tmp_path / "run" / "maps" / "plain-64" / "gt-box").iterdir())
    assert len(maps) == 4
    maps[2].unlink()
    evaluate(make_settings(**quick, save_maps=True), tmp_path / "run", workers=0)
    assert maps[2].is_file()


def test_photographs_with_several_objects_have_a_map_of_each(make_settings: Any, pairs: Path, tmp_path: Path) -> None:
    for path in (pairs / "masks").iterdir():
        labels = np.zeros_like(np.asarray(Image.open(path)))
        labels[2:10, 2:10], labels[20:30, 20:30] = 3, 9
        Image.fromarray(labels).save(path)
    settings = make_settings(
        sizes=(64,), methods=("plain",), metrics=("iou",), mask_values="instances", save_maps=True, limit=1
    )
    evaluate(settings, tmp_path / "run", workers=0)
    names = {path.name for path in (tmp_path / "run" / "maps" / "plain-64" / "gt-box").iterdir()}
    assert names == {"photo00_3.png", "photo00_9.png"}


def test_tables_for_latex(make_settings: Any, tmp_path: Path) -> None:
    outcome = evaluate(make_settings(sizes=(64,), methods=("resize", "plain"), metrics=("iou",)), tmp_path / "run", workers=0)
    text = (tmp_path / "run" / "summary.tex").read_text()
    assert outcome.summary is not None
    best = max(row["iou"] for row in outcome.summary["rows"])
    assert rf"\textbf{{{best:.3f}}}" in text
    assert "method & size & IoU" in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1


def test_cells_of_tables_are_escaped() -> None:
    text = latex(["a_b", "50 %"], [["x & y", "**1.5 ± 0.1**"], [r"c\d", "~"]])
    assert r"a\_b & 50 \% \\" in text
    assert r"x \& y & \textbf{1.5 $\pm$ 0.1} \\" in text
    assert r"c\textbackslash{}d & \textasciitilde{} \\" in text
    assert r"\begin{tabular}{lr}" in text
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_command_takes_modes_and_saves_maps(pairs: Path, model_folder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from basam.cli import app

    words = ["evaluate", "folder", pairs, "--model", model_folder, "--sizes", 96, "--metrics", "iou", "--workers", 0]
    words += ["--methods", "resize", "--modes", "off,published,factor,mask,reach", "--save-maps", "--limit", 1]
    result = CliRunner().invoke(app, [*map(str, words), "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "run" / "summary.json").read_text())["rows"]
    assert [row["method"] for row in rows] == ["resize", "plain", "published", "factor", "mask", "reach"]
    assert len(list((tmp_path / "run" / "maps").iterdir())) == 6
