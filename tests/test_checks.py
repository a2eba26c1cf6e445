"""What is no path, no number or no settings is named with its argument; text, path objects and `~` are paths alike."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import basam
from basam import batch, files, geo, masks, predict, web
from basam.checks import path_of, real_number, whole_number
from basam.lab import benchmarking, calibration, data, evaluation, metrics, scenes, tuning
from basam.predict.automatic import AutomaticSettings
from tests.helpers.small_run import write_pairs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_pairs(tmp_path / "data", 2)
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [], "categories": []}')
    return tmp_path


@pytest.mark.parametrize("spelled", [str, Path, lambda path: "~/" + path.name, lambda path: Path("~") / path.name])
def test_a_path_is_text_or_a_path_and_may_begin_at_home(home: Path, spelled) -> None:
    root, photo = spelled(home / "data"), "images/photo00.png"
    assert len(data.open_dataset("folder", root)) == 2
    assert data.splits_of("folder", root) == ["all"]
    assert len(data.open_dataset("folder", data.Source.parse(f"folder:{root}").root)) == 2
    assert data.load_annotations(spelled(home / "a.json"))["images"] == []
    predictor = basam.Predictor.from_pretrained("nano")
    predictor.set_image(f"{root}/{photo}")
    assert predictor.original_size == (72, 56) or predictor.original_size == (48, 80)
    assert Path(evaluation.EvaluateSettings(kind="folder", root=root).root) == home / "data"
    scenes.write_scenes(spelled(home / "scenes"), "thin", 1, 32, workers=1)
    assert (home / "scenes").is_dir()


FOLDER = {"kind": "folder", "root": "."}
DATA = {"data": ("folder:.",)}
EMPTY, SOME = np.zeros((4, 6), bool), np.ones((4, 6), bool)
PHOTO = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda value: evaluation.EvaluateSettings(**FOLDER, limit=value), "limit", "a"),
        (lambda value: evaluation.EvaluateSettings(**FOLDER, seed=value), "seed", 0.5),
        (lambda value: evaluation.EvaluateSettings(**FOLDER, mode=value), "mode", "log"),
        (lambda value: evaluation.EvaluateSettings(**FOLDER, device=value), "device", "gpu"),
        (lambda value: evaluation.EvaluateSettings(**FOLDER, dtype=value), "dtype", 8),
        (lambda value: evaluation.EvaluateSettings(**FOLDER, multimask=value), "multimask", "no"),
        (lambda value: evaluation.EvaluateSettings(**FOLDER, methods=value), "methods", "plain"),
        (lambda value: evaluation.EvaluateSettings(kind=value, root="."), "kind", "x"),
        (lambda value: benchmarking.BenchmarkSettings(**DATA, sizes=(value,)), "size", 0),
        (lambda value: benchmarking.BenchmarkEntry(value), "name", None),
        (lambda value: tuning.TuneSettings(data=value), "data", "folder:."),
        (lambda value: tuning.TuneSettings(**DATA, rate=value), "rate", "a"),
        (lambda value: tuning.TuneSettings(**DATA, steps=value), "steps", True),
        (lambda value: tuning.TuneSettings(**DATA, ema=value), "ema", 2),
        (lambda value: tuning.TuneSettings(**DATA, way=value), "way", "all"),
        (lambda value: tuning.TuneSettings(**DATA, prompts=(value,)), "prompts[0]", "gt-box"),
        (lambda value: tuning.Lora(rank=value), "rank", 0),
        (lambda value: tuning.Plan(steps=1, rate=value), "rate", 0),
        (lambda value: tuning.LossWeights(dice=value), "dice", "a"),
        (lambda value: tuning.TuneLoss(bce=value), "bce", math.nan),
        (lambda value: data.PromptSpec("gt-box", positives=value), "positives", "a"),
        (lambda value: data.MaskRule("label", value), "label", "x"),
        (lambda value: data.Source(value, "."), "kind", "nothing"),
        (lambda value: masks.Cleaning(min_area=value), "min_area", 2.5),
        (lambda value: masks.RunMask(value, 3, np.array([7])), "height", "a"),
        (lambda value: masks.RunMask(2, 3, value), "counts", None),
        (lambda value: predict.Region(0, 0, value), "side", 1.5),
        (lambda value: predict.Focus(context=value), "context", 0.5),
        (lambda value: predict.Focus(click=value), "click", "x"),
        (lambda value: basam.BiasMode(scaling=value), "scaling", "linear"),
        (lambda value: basam.BiasMode(strength=value), "strength", 1.5),
        (lambda value: AutomaticSettings(box_nms_thresh=value), "box_nms_thresh", 2),
        (lambda value: batch.SegmentSettings(dtype=value), "dtype", "int8"),
        (lambda value: batch.SegmentSettings(long_side=value), "long_side", "big"),
        (lambda value: batch.Shard(value, 2), "index", "0"),
        (lambda value: geo.Windows(value, 4, 64, 16), "height", -1),
        (lambda value: web.WebSettings(port=value), "port", 70000),
        (lambda value: web.WebSettings(photos=value), "photos", "a.jpg"),
        (lambda value: scenes.render(0, value, "thin"), "size", 31),
        (lambda value: scenes.render(0, value, "thin"), "size", 32.5),
        (lambda value: scenes.mosaic(0, 64, "thin", value), "tiles", 0),
        (lambda value: scenes.write_scenes("out", "thin", value, 32), "count", "a"),
        (lambda value: scenes.write_sheet("a.png", value, 1, 32, 0), "domains", "thin"),
        (lambda value: data.open_dataset("folder", value), "root", None),
        (lambda value: data.splits_of("folder", value), "root", 3),
        (lambda value: data.load_annotations(value), "path", None),
        (lambda value: evaluation.RunFolder(value), "path", 3),
        (lambda value: basam.load("nano", adapter=value), "adapter", 3),
        (lambda value: evaluation.evaluate(value, "out"), "settings", None),
        (lambda value: benchmarking.benchmark(value, "out"), "settings", None),
        (lambda value: tuning.tune(value, "out"), "settings", None),
        (lambda value: calibration.calibrate(value, None, [64]), "predictor", None),
        (lambda value: files.overlay(value, [SOME]), "image", None),
        (lambda value: metrics.measure(PHOTO, value, ["iou"]), "truth", None),
        (lambda value: data.inscribed_centre(value), "mask", "x"),
    ],
)
def test_an_error_names_the_argument_and_its_value(make, name: str, value, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError)) as caught:
        make(value)
    assert isinstance(caught.value, basam.BasamError)
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("give", "name"),
    [
        (lambda: files.overlay(PHOTO / 2, [SOME]), "image of shape (4, 6, 3) and float64"),
        (lambda: files.overlay(PHOTO, SOME), "masks[0] of shape (6,)"),
        (lambda: files.write_image("a.png", SOME), "image of shape (4, 6)"),
        (lambda: files.write_mask("a.png", PHOTO), "mask of shape (4, 6, 3)"),
        (lambda: masks.RunMask.of(PHOTO), "mask of shape (4, 6, 3)"),
        (lambda: masks.encode_mask("x"), "mask of shape ()"),
        (lambda: masks.encode_mask(np.zeros((2, 2, 2), bool)), "mask of shape (2, 2, 2)"),
        (lambda: masks.tight_box(EMPTY), "mask of shape (4, 6)"),
        (lambda: masks.RunMask.of_part(SOME, 2, 0, 5, 6), "part of shape (4, 6)"),
        (lambda: masks.RunMask(2, 3, np.array([-1, 7])), "counts"),
        (lambda: masks.part_of(masks.RunMask.of(SOME), 0, 0, 9, 4), "x1=9"),
        (lambda: masks.placed(masks.RunMask.of(SOME), -1, 0, 9, 9), "row -1"),
        (lambda: metrics.measure(PHOTO, PHOTO, ["iou"]), "truth of shape (4, 6, 3)"),
    ],
)
def test_an_error_names_the_array_and_its_shape(give, name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(name)) as caught:
        give()
    assert isinstance(caught.value, basam.BasamError)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ask", "name", "value"),
    [
        (lambda p, value: p.predict(box=[1, 1, 9, 9], focus=value), "focus", "yes"),
        (lambda p, value: p.predict(box=[1, 1, 9, 9], multimask_output=value), "multimask_output", "no"),
        (lambda p, value: p.set_image(PHOTO, long_side=value), "long_side", -1),
        (lambda p, value: basam.AutomaticMasks(p, long_side=value), "long_side", -3),
        (lambda p, value: basam.AutomaticMasks(p, square=value), "square", "x"),
        (lambda p, value: basam.AutomaticMasks(p, soft=value), "soft", 5),
        (lambda p, value: basam.AutomaticMasks(p, mode=value), "mode", "log"),
        (lambda p, value: basam.AutomaticMasks(p, crop_n_layers=value), "crop_n_layers", 11),
    ],
)
def test_a_predictor_names_the_argument_and_its_value(tiny, ask, name: str, value) -> None:
    predictor = basam.Predictor(tiny)
    predictor.set_image(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises((TypeError, ValueError)) as caught:
        ask(predictor, value)
    assert isinstance(caught.value, basam.BasamError)
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("call", [basam.detach, lambda model: basam.attached(model).__enter__()])
def test_what_is_no_model_is_named(call) -> None:
    with pytest.raises(TypeError, match="model='nano'"):
        call("nano")


def test_what_is_meant_is_taken() -> None:
    """Lists where tuples are kept, numbers of numpy, 0 and 1 for False and True, text for paths."""
    settings = evaluation.EvaluateSettings(kind="folder", root=Path("."), sizes=[np.int64(64)], multimask=1)
    assert (settings.root, settings.sizes, settings.multimask) == (".", (64,), 1)
    assert web.WebSettings(photos=["a.jpg"]).photos == (Path("a.jpg"),)
    assert tuning.Lora(scale=np.float32(0.5)).scale == 0.5


def test_numbers_are_those_of_python_and_numpy() -> None:
    assert whole_number(np.int64(3), "n", 0) == 3
    assert real_number(np.float32(0.5), "n", 0, 1) == 0.5
    assert real_number(math.inf, "n", 0) == math.inf
    for value in (True, 1.0, "1", None, -1):
        with pytest.raises(ValueError, match=r"n=.*: a whole number of at least 0 is needed"):
            whole_number(value, "n", 0)
    for value in (True, math.nan, "1", None, 2):
        with pytest.raises(ValueError, match=r"n=.*: a number of at most 1 is needed"):
            real_number(value, "n", most=1)


def test_a_home_that_is_nobodys_is_a_name() -> None:
    assert path_of("~nobody-has-this-name/x") == Path("~nobody-has-this-name/x")
