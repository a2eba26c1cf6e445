"""A run in the same folder takes more photographs, sizes, methods and prompts, and measures only what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from basam.lab.data import PromptSpec
from basam.lab.evaluation.evaluating import evaluate
from basam.lab.evaluation.runner import Runner
from basam.lab.evaluation.store import RunFolder, RunMismatchError, differences
from basam.predict import Focus


@pytest.fixture(autouse=True)
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take longer than all the rest."""
    monkeypatch.setattr("basam.lab.evaluation.evaluating.write_report", lambda *_: None)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int | str, tuple[str, ...]]]:
    """What was encoded: photograph, method, size and the prompts it was for."""
    found: list[tuple[str, str, int | str, tuple[str, ...]]] = []
    inner = Runner.run_variant

    def recorded(self: Runner, sample_id: str, variant: Any, image: Any, questions: Any) -> None:
        found.append((sample_id, variant.method, variant.size, tuple(questions)))
        inner(self, sample_id, variant, image, questions)

    monkeypatch.setattr(Runner, "run_variant", recorded)
    return found


BOX, POINT = PromptSpec("gt-box"), PromptSpec("gt-point")


@pytest.mark.parametrize(
    ("first", "more", "missing"),
    [
        ({"limit": 2}, {"limit": 4}, [("photo01.png", 64, "gt-box"), ("photo03.png", 64, "gt-box")]),
        ({"limit": 2}, {"limit": None}, [("photo01.png", 64, "gt-box"), ("photo03.png", 64, "gt-box")]),
        ({"limit": 1}, {"sizes": (96, 64)}, [("photo00.png", 96, "gt-box")]),
        ({"limit": 1}, {"prompts": (POINT, BOX)}, [("photo00.png", 64, "gt-point")]),
    ],
    ids=["limit", "all", "sizes", "prompts"],
)
def test_only_what_is_missing_is_measured(
    make_settings: Any, tmp_path: Path, encoded: Any, first: Any, more: Any, missing: Any
) -> None:
    quick = {"sizes": (64,), "methods": ("plain",), "metrics": ("iou",), "prompts": (BOX,)} | first
    evaluate(make_settings(**quick), tmp_path / "run", workers=0)
    encoded.clear()
    extended = evaluate(make_settings(**(quick | more)), tmp_path / "run", workers=0)
    names = [(Path(sample).name, size, prompt) for sample, _, size, (prompt,) in encoded]
    assert [(name.split(".")[0], size, prompt) for name, size, prompt in names] == [
        (name.split(".")[0], size, prompt) for name, size, prompt in missing
    ]
    unbroken = evaluate(make_settings(**(quick | more)), tmp_path / "unbroken", workers=0)
    assert extended.summary == unbroken.summary


def test_a_method_with_regions_joins_with_settings_of_its_own(make_settings: Any, tmp_path: Path, encoded: Any) -> None:
    quick: dict[str, Any] = {"limit": 1, "sizes": (64,), "methods": ("plain",), "metrics": ("iou",)}
    evaluate(make_settings(**quick), tmp_path / "run", workers=0)
    encoded.clear()
    wide = quick | {"methods": ("plain", "focus"), "focus": Focus(context=3.0)}
    evaluate(make_settings(**wide), tmp_path / "run", workers=0)
    assert [method for _, method, _, _ in encoded] == ["focus"]
    with pytest.raises(RunMismatchError, match="focus was"):
        evaluate(make_settings(**(wide | {"focus": Focus(context=1.5)})), tmp_path / "run", workers=0)


def test_nothing_is_taken_away(make_settings: Any, tmp_path: Path) -> None:
    quick: dict[str, Any] = {"sizes": (64,), "methods": ("plain", "basam"), "metrics": ("iou",)}
    evaluate(make_settings(**quick, limit=2), tmp_path / "run", workers=0)
    before = RunFolder(tmp_path / "run").run_file.read_bytes()
    with pytest.raises(RunMismatchError, match=r"limit was 2, now 1 \(a lower one\)"):
        evaluate(make_settings(**quick, limit=1), tmp_path / "run", workers=0)
    with pytest.raises(RunMismatchError, match=r"methods was plain,basam, now basam \(without plain\).*to extend it, or"):
        evaluate(make_settings(**(quick | {"methods": ("basam",)}), limit=2), tmp_path / "run", workers=0)
    assert RunFolder(tmp_path / "run").run_file.read_bytes() == before


def test_other_photographs_are_no_extension() -> None:
    before = {"settings": {"limit": 2}, "model": {}, "data": {"images": 4, "sha256 of names": "a"}}
    now = {"settings": {"limit": 4}, "model": {}, "data": {"images": 5, "sha256 of names": "b"}}
    assert differences(before, now) == ["data images was 4, now 5", 'data sha256 of names was "a", now "b"']
