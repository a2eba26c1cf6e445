"""A model and a metric of one's own in an evaluation, as docs/evaluation.md shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basam.lab.data import PromptSpec, open_dataset
from basam.lab.evaluation import EvaluateSettings, evaluate
from basam.lab.metrics import COLUMNS, METRICS, Case, measure, register_metric


class Bright:
    """The whole box, or the pixels as bright as the first point."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, Any]] = []

    def predict(self, image: np.ndarray, box: Any = None, points: Any = None) -> np.ndarray:
        self.seen.append((box, points))
        mask = np.zeros(image.shape[:2], dtype=bool)
        if box is not None:
            x0, y0, x1, y1 = box.astype(int)
            mask[y0:y1, x0:x1] = True
        return mask


def recall(case: Case) -> float:
    """Share of the object that the mask covers."""
    return float((case.delivered & case.truth).sum() / case.truth.sum())


@pytest.fixture
def own_metric() -> Any:
    register_metric("recall", recall, title="recall")
    yield
    del METRICS["recall"], COLUMNS["recall"]


def settings_of(root: Path, *prompts: str, **more: Any) -> EvaluateSettings:
    specs = tuple(map(PromptSpec.parse, prompts))
    return EvaluateSettings(kind="folder", root=str(root), prompts=specs, **{"metrics": ("iou",), **more})


def test_a_model_of_ones_own_is_evaluated(pairs: Path, tmp_path: Path) -> None:
    model = Bright()
    outcome = evaluate(settings_of(pairs, "gt-box", "k-points:2+1"), tmp_path / "run", model=model, workers=0)
    assert outcome.summary is not None
    rows = {row["prompt"]: (row["method"], row["size"], row["images"], row["iou"]) for row in outcome.summary["rows"]}
    # The objects are rectangles, so that the box is the mask.
    assert rows == {"gt-box": ("custom", "native", 4, 1.0), "k-points:2+1": ("custom", "native", 4, 0.0)}
    assert [points.shape for box, points in model.seen if box is None] == [(3, 3)] * 4
    assert all(sorted(points[:, 2]) == [0, 1, 1] for _, points in model.seen if points is not None)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["model"], run["settings"]["methods"]) == ({"name": "Bright"}, ["custom"])
    seen = len(model.seen)
    evaluate(settings_of(pairs, "gt-box", "k-points:2+1"), tmp_path / "run", model=model, workers=0)
    assert len(model.seen) == seen  # resumed: nothing is left to do
    assert "custom" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (np.zeros((3, 4), dtype=bool), r"predict returned bool of shape \(3, 4\)"),
        (np.full((72, 56), 7.0), "values from 7 to 7: 0 to 1 is needed"),
        (np.full((72, 56), np.nan), "values from nan to nan"),
        (np.zeros((72, 56), dtype=np.uint8), "predict returned uint8"),
    ],
)
def test_what_is_no_mask_is_named(pairs: Path, tmp_path: Path, found: np.ndarray, message: str) -> None:
    class Wrong:
        def predict(self, image: np.ndarray, box: Any, points: Any) -> np.ndarray:
            return found

    with pytest.raises(TypeError, match=f"Wrong.*{message}"):
        evaluate(settings_of(pairs, "gt-box"), tmp_path / "run", model=Wrong(), workers=0)
    with pytest.raises(TypeError, match="an object with predict"):
        evaluate(settings_of(pairs, "gt-box"), tmp_path / "other", model="nano", workers=0)


def test_probabilities_stay_as_they_are(pairs: Path, tmp_path: Path) -> None:
    class Grey:
        def predict(self, image: np.ndarray, box: Any, points: Any) -> np.ndarray:
            return np.full(image.shape[:2], 0.25, dtype=np.float32)

    outcome = evaluate(settings_of(pairs, "gt-box", metrics=("mae",)), tmp_path / "run", model=Grey(), workers=0)
    assert outcome.summary is not None
    shares = [sample.load().instances[0].mask.mean() for sample in open_dataset("folder", pairs)]
    expected = np.mean([0.25 * (1 - share) + 0.75 * share for share in shares])
    assert outcome.summary["rows"][0]["mae"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.usefixtures("own_metric")
def test_a_metric_of_ones_own_is_measured_shown_and_compared(pairs: Path, tmp_path: Path, workers: int) -> None:
    settings = settings_of(pairs, "gt-box", metrics=("recall",))
    outcome = evaluate(settings, tmp_path / "run", model=Bright(), workers=workers)
    assert outcome.summary is not None
    assert outcome.summary["rows"][0]["recall"] == 1
    assert "recall" in (tmp_path / "run" / "report.html").read_text()
    assert "recall" in (tmp_path / "run" / "summary.tex").read_text()


@pytest.mark.usefixtures("own_metric")
def test_names_of_built_in_metrics_are_taken() -> None:
    truth = np.eye(4, dtype=bool)
    assert measure(truth.astype(np.float32), truth, ("recall",)) == {"recall": 1.0}
    for name in ("iou", "f_max", "two words"):
        with pytest.raises(ValueError, match="a name of one word that no built-in metric has"):
            register_metric(name, recall)


def test_a_metric_that_workers_cannot_have_is_named(pairs: Path, tmp_path: Path) -> None:
    register_metric("odd", lambda case: 0.0)
    try:
        with pytest.raises(ValueError, match="metric 'odd' cannot be sent to worker processes"):
            evaluate(settings_of(pairs, "gt-box", metrics=("odd",)), tmp_path / "run", model=Bright(), workers=1)
    finally:
        del METRICS["odd"], COLUMNS["odd"]
