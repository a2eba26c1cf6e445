"""What is no path, no number or no settings is named with its argument; text, path objects and `~` are paths alike."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import basam
from basam import data, evaluation, scenes, tuning
from basam.checks import path_of, real_number, whole_number
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
    assert [path.name for path in data.image_files(Path(root) / "images")] == ["photo00.png", "photo01.png"]
    assert data.read_mask(f"{root}/masks/photo00.png")[0].any()
    assert data.load_annotations(spelled(home / "a.json"))["images"] == []
    predictor = basam.Predictor.from_pretrained("nano")
    predictor.set_image(f"{root}/{photo}")
    assert predictor.original_size == (72, 56) or predictor.original_size == (48, 80)
    assert Path(evaluation.EvaluateSettings(kind="folder", root=root).root) == home / "data"
    scenes.write_scenes(spelled(home / "scenes"), "thin", 1, 32, workers=1)
    assert (home / "scenes").is_dir()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.open_dataset("folder", None), "root=None: a path is needed"),
        (lambda: data.splits_of("folder", 3), "root=3: a path is needed"),
        (lambda: data.load_annotations(None), "path=None: a path is needed"),
        (lambda: data.image_files(None), "folder=None: a path is needed"),
        (lambda: data.image_files("/nowhere"), "/nowhere: no such folder"),
        (lambda: data.image_files(__file__), "a file, not a folder"),
        (lambda: data.encode_mask("x"), "mask of shape ()"),
        (lambda: data.encode_mask(np.zeros((2, 2, 2), bool)), "mask of shape (2, 2, 2) and bool: (H, W) bool is needed"),
        (lambda: basam.load("nano", adapter=3), "adapter=3: a path is needed"),
        (lambda: basam.detach("nano"), "model is a str: a torch.nn.Module"),
        (lambda: basam.attached("nano").__enter__(), "model is a str: a torch.nn.Module"),
        (lambda: evaluation.evaluate(None, "out"), "settings=None: a basam.evaluation.EvaluateSettings is needed"),
        (lambda: evaluation.benchmark(None, "out"), "settings=None: a basam.evaluation.BenchmarkSettings is needed"),
        (lambda: evaluation.EvaluateSettings(kind="folder", root=".", limit="a"), "limit='a': a whole number of at least 1"),
        (lambda: evaluation.EvaluateSettings(kind="folder", root=".", seed=0.5), "seed=0.5: a whole number of at least 0"),
        (lambda: tuning.tune(None, "out"), "settings=None: a basam.tuning.TuneSettings is needed"),
        (lambda: tuning.TuneSettings(data=("folder:.",), rate="a"), "rate='a': a number is needed"),
        (lambda: tuning.TuneSettings(data=("folder:.",), steps="a"), "steps='a': a whole number of at least 1 is needed"),
        (lambda: tuning.TuneSettings(data=("folder:.",), ema=2), "ema=2: a number of at least 0 and at most 1 is needed"),
        (lambda: tuning.Lora(rank=0), "rank=0: a whole number of at least 1 is needed"),
        (lambda: tuning.Plan(steps="a", rate=1), "steps='a': a whole number of at least 1 is needed"),
        (lambda: scenes.render(0, "a", "thin"), "size='a': a whole number of at least 32 is needed"),
        (lambda: scenes.render(0, 32.5, "thin"), "size=32.5: a whole number of at least 32 is needed"),
        (lambda: scenes.write_scenes("out", "thin", "a", 32), "count='a': a whole number of at least 1 is needed"),
    ],
)
def test_what_is_wrong_is_named(call, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=re.escape(message)) as caught:
        call()
    assert isinstance(caught.value, basam.BasamError)
    assert not list(tmp_path.iterdir())


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
