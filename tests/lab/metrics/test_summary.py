"""Figures of a data set: those of the library over all images, whatever the order of the records."""

import json
import random

import numpy as np
import py_sod_metrics as library
import pytest

from basam.lab.metrics import mean_curves, measure, metrics_for, summarise


def cases(count=7):
    generator = np.random.default_rng(1)
    for _ in range(count):
        height, width = generator.integers(20, 50, 2)
        truth = np.zeros((height, width), dtype=bool)
        truth[4 : 4 + generator.integers(2, 12), 5 : 5 + generator.integers(2, 12)] = True
        yield np.clip(0.5 * truth + 0.6 * generator.random((height, width)), 0, 1).astype(np.float32), truth


@pytest.fixture(scope="module")
def records():
    return [measure(probabilities, truth, metrics_for("duts")) for probabilities, truth in cases()]


def test_a_data_set_is_what_the_library_makes_of_it(records):
    s, e, f = library.Smeasure(), library.Emeasure(), library.FmeasureV2({"f": library.FmeasureHandler(True, True)})
    for probabilities, truth in cases():
        for metric in (s, e, f):
            metric.step(pred=np.rint(probabilities * 255).astype(np.uint8), gt=truth.astype(np.uint8) * 255)
    summary = summarise(records)
    assert summary["count"] == 7
    assert summary["s_measure"] == pytest.approx(s.get_results()["sm"], abs=1e-12)
    for letter, curve in (("e", e.get_results()["em"]["curve"]), ("f", f.get_results()["f"]["dynamic"])):
        assert summary[f"{letter}_max"] == pytest.approx(curve.max(), abs=1e-7)
        assert summary[f"{letter}_mean"] == pytest.approx(curve.mean(), abs=1e-7)


def test_neither_order_nor_json_changes_the_last_digit(records):
    expected, curves = summarise(records), mean_curves(records)
    for seed in range(10):
        shuffled = json.loads(json.dumps(random.Random(seed).sample(records, len(records))))
        assert summarise(shuffled) == expected
        assert all((curve == mean_curves(shuffled)[name]).all() for name, curve in curves.items())


def test_max_f_takes_one_threshold_for_the_whole_data_set():
    truth = np.zeros((30, 30), dtype=bool)
    truth[5:15, 5:15] = True
    records = []
    for inside, outside in ((0.9, 0.6), (0.5, 0.0)):  # the best threshold of one is among the worst of the other
        probabilities = np.where(truth, inside, 0).astype(np.float32)
        probabilities[20:29, 5:15] = outside
        probabilities[5, 5] = 1
        records.append(measure(probabilities, truth, ["f_measure"]))
    assert [summarise([record])["f_max"] for record in records] == [1, 1]
    assert summarise(records)["f_max"] < 0.8


def test_undefined_values_are_left_out_and_counted():
    assert summarise([{"si_mae": 0.25}, {"si_mae": None}, {"si_mae": 0.75}]) == {
        "count": 3,
        "si_mae": 0.5,
        "si_mae_undefined": 1,
    }
    assert summarise([{"si_mae": None}]) == {"count": 1, "si_mae_undefined": 1}
    full = np.ones((20, 20), dtype=bool)
    part = full.copy()
    part[:, 12:] = False
    both = [measure(truth.astype(np.float32), truth, ["si_f_measure"]) for truth in (full, part)]
    summary = summarise(both)
    assert summary["si_f_max_undefined"] == 1
    assert summary["si_f_max"] == summarise(both[1:])["si_f_max"]


def test_the_curves_of_the_plots(records):
    curves = mean_curves(records)
    assert set(curves) == {"precision", "recall", "f", "e", "si_f"}
    assert curves["recall"][-1] == 1, "at threshold 0 every pixel is predicted"
    assert (np.diff(curves["recall"]) >= 0).all()


def test_what_cannot_be_summarised(records):
    with pytest.raises(ValueError, match="no record to summarise"):
        summarise([])
    with pytest.raises(ValueError, match=r"records 0 and 1 hold different metrics \(mae\): they come from different runs"):
        summarise([{"iou": 1.0, "mae": 0.0}, {"iou": 1.0}])
