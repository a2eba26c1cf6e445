"""Paired differences and intervals: the right values, by the pairs of photographs, for methods at the same size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from basam.lab.evaluation.evaluating import evaluate
from basam.lab.evaluation.lines import Results
from basam.lab.evaluation.methods import METHODS
from basam.lab.evaluation.pairing import (
    compare_methods,
    half_width,
    image_means,
    in_words,
    main_metric,
    mean_interval,
    paired,
    pairs_of,
)
from basam.lab.evaluation.settings import Variant


@pytest.mark.parametrize(
    ("count", "quantile"),
    [(2, 12.7062), (3, 4.3027), (11, 2.2281), (12, 2.2010), (31, 2.0423), (121, 1.9799), (100_001, 1.9600)],
)
def test_intervals_are_those_of_student(count: int, quantile: float) -> None:
    assert half_width(1.0, count) == pytest.approx(quantile, abs=6e-4)


def test_one_photograph_has_no_interval() -> None:
    assert half_width(1.0, 1) is None
    assert mean_interval([0.5]) is None
    assert paired({"a": 0.25}, {"a": 0.75, "b": 0.1}) == (0.5, None)


def test_the_difference_is_that_of_pairs() -> None:
    first = {"a": 0.1, "b": 0.5, "c": 0.9, "only here": 0.0}
    second = {"b": 0.7, "a": 0.2, "c": 1.2, "only there": 1.0}
    difference, half = paired(first, second)
    assert difference == pytest.approx(0.2)
    assert half == pytest.approx(4.3027 * 0.1 / math.sqrt(3), abs=1e-3)  # differences of 0.1, 0.2 and 0.3


def line(sample: str, method: str, *values: float | None, size: int = 64) -> dict[str, Any]:
    instances = [{"id": str(number), "metrics": {"iou": value}} for number, value in enumerate(values)]
    return {"sample": sample, "size": size, "method": method, "prompt": "gt-box", "instances": instances}


def test_a_photograph_counts_once_however_many_objects_it_has() -> None:
    assert image_means([line("a", "plain", 0.2, 0.4), line("b", "plain", 0.9), line("c", "plain", None)], "iou") == {
        "a": pytest.approx(0.3),
        "b": 0.9,
    }


def test_methods_are_compared_at_their_size_and_resize_with_all() -> None:
    variants = [Variant(64, "resize"), *(Variant(size, method) for size in (64, 96) for method in ("plain", "basam", "focus"))]
    found = [(a.method, b.method, b.size) for a, b in pairs_of(variants)]
    assert len(found) == 6 + 2 * 3
    assert all(found.count(pair) == 1 for pair in found)
    assert ("plain", "basam", 96) in found
    assert ("basam", "focus", 64) in found
    assert pairs_of(Variant(64, method) for method in METHODS)  # no method without a place


def test_an_entry_says_what_is_compared_on_how_many() -> None:
    results = Results()
    values = {"plain": (0.1, 0.5, 0.9), "basam": (0.2, 0.7, 1.2)}
    results.add(line(name, method, value) for method in values for name, value in zip("abc", values[method], strict=True))
    (entry,) = compare_methods(results, list("abc"), [Variant(64, "plain"), Variant(64, "basam")], ["gt-box"])
    assert (entry["first"], entry["second"], entry["images"], entry["size"]) == ("plain 64", "basam 64", 3, 64)
    assert main_metric([entry]) == "iou"
    assert in_words(entry, "iou") == "+0.2000 ± 0.2484"
    assert in_words(entry, "mae") == "-"


def test_a_run_has_them_in_its_summary_and_report(make_settings: Any, tmp_path: Path) -> None:
    methods = ("resize", "plain", "basam", "focus-plain", "focus")
    outcome = evaluate(make_settings(sizes=(96,), methods=methods, metrics=("iou", "f_measure")), tmp_path / "run", workers=0)
    assert outcome.summary is not None
    entries = outcome.summary["paired"]
    assert len(entries) == 10  # each of five with each other
    assert all(set(entry["differences"]) == {"iou", "f_adaptive"} for entry in entries)  # curves are of the whole
    rows = {f"{row['method']} {row['size']}": row["iou"] for row in outcome.summary["rows"]}
    for entry in entries:
        found = entry["differences"]["iou"]["difference"]
        assert found == pytest.approx(rows[entry["second"]] - rows[entry["first"]], abs=1e-12)
    report = (tmp_path / "run" / "report.html").read_text()
    assert in_words(entries[0], "iou") in report
