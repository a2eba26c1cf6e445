"""How regions are found is chosen by what masks say, and only where it is better by more than its error."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.lab.calibration import calibrate_focus
from basam.lab.calibration.focused import BOX, POINT, FocusCandidate, Passes, picked
from basam.lab.data import open_dataset
from basam.predict import Focus
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_sam


def candidate(focus, *scores):
    return FocusCandidate(focus, BOX, (scores,))


def test_the_first_is_taken_that_is_no_worse_than_the_best_by_more_than_an_error():
    usual, wide, wider = Focus(), Focus(context=3), Focus(context=4)
    rest = [candidate(None, 0.9, 0.9, 0.9), candidate(usual, 0.5, 0.6, 0.7)]
    assert picked([*rest, candidate(wide, 0.6, 0.7, 0.8)]) == wide
    assert picked([*rest, candidate(wide, 0.9, 0.4, 0.6)]) == usual
    assert picked([*rest, candidate(wide, 0.4, 0.5, 0.6)]) == usual
    # Better than the default, and even with a costlier one that is better still.
    assert picked([*rest, candidate(wide, 0.6, 0.7, 0.8), candidate(wider, 0.7, 0.7, 0.75)]) == wide


def test_data_sets_count_alike_whatever_their_number_of_photographs():
    one = FocusCandidate(Focus(), BOX, ((0.5, 0.5, 0.5, 0.5), (0.2, 0.4)))
    other = FocusCandidate(None, BOX, ((0.4, 0.4, 0.4, 0.4), (0.3, 0.3)))
    assert one.mean == pytest.approx((0.5 + 0.3) / 2)
    difference, error = one.minus(other)
    assert difference == pytest.approx(0.05)
    # Of two photographs with -0.1 and 0.1: 0.1; of four alike: 0; the mean of two sets has half of it.
    assert error == pytest.approx(0.05)


def test_every_candidate_is_measured_on_the_same_photographs(tmp_path):
    root = write_pairs(tmp_path / "train", 3)
    predictor = basam.Predictor(tiny_sam())
    result = calibrate_focus(predictor, [open_dataset("folder", root)], count=3, larger=True)
    how = f"gt-point, context {result.chosen.context:g}, {side_of(result.chosen)}"
    expected = [
        "gt-box, whole photo",
        "gt-box, context 2, trained side",
        "gt-box, context 1.5, trained side",
        "gt-box, context 3, trained side",
        "gt-box, context 2, 96 px",
        "gt-point, whole photo",
        f"{how}, coarse",
        *(f"{how}, zoom, margin {margin}, cut 0.4" for margin in ("0", "0.05", "0.1")),
        *(f"{how}, scales, margin {margin}, cut 0.4" for margin in ("0", "0.1", "0.2")),
    ]
    found = [str(each) for each in result.candidates]
    assert found[: len(expected)] == expected
    assert len(found) == len(expected) + (0 if result.chosen.click == "coarse" else 3)
    assert {len(each.scores[0]) for each in result.candidates} == {3}
    assert predictor.focus == result.chosen
    assert sum(result.is_chosen(each) for each in result.candidates) >= 2
    rows = result.rows()
    assert rows[0]["minus_whole"] == 0
    assert rows[1]["mean"] == pytest.approx(np.mean(result.candidates[1].scores))
    # Each is what asking with its focus gives, whatever was asked before it.
    measured = Passes(basam.Predictor(tiny_sam()), [open_dataset("folder", root)], 3, 0, None)
    for each in result.candidates[6:]:
        (alone,) = measured.measured([each.focus], POINT, "")
        np.testing.assert_allclose(alone.scores, each.scores, atol=1e-9)


def side_of(focus):
    return "trained side" if focus.side is None else f"{focus.side} px"


def test_the_command_adds_a_section_and_keeps_the_mode(tmp_path):
    write_pairs(tmp_path / "data" / "train", 3)
    tiny_sam().save_pretrained(tmp_path / "model")
    out = tmp_path / "mode.json"
    out.write_text('{"mode": {"strength": 0.5}, "found": {"how": "by hand"}}')
    write_pairs(tmp_path / "more" / "train", 2)
    also = ["--also", f"more=folder:{tmp_path / 'more'}"]
    words = [
        "calibrate",
        "folder",
        tmp_path / "data",
        *also,
        "--model",
        tmp_path / "model",
        "--focus",
        "--count",
        3,
        "--out",
        out,
    ]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert "chosen" in result.stdout
    content = json.loads(out.read_text())
    assert content["mode"]["strength"] == 0.5
    assert Focus.from_dict(content["focus"])
    assert content["found"]["how"] == "by hand"
    assert len(content["found"]["focus"]["candidates"]) in (12, 15)
    assert content["found"]["focus"]["data"] == ["data train", "more train"]
    assert [len(photos) for photos in content["found"]["focus"]["photos"].values()] == [3, 2]
