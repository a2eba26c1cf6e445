"""How regions are found is chosen by what masks say, and only where it is better by more than its error."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.data import open_dataset
from basam.evaluation import calibrate_focus
from basam.evaluation.calibration.focused import BOX, FocusCandidate, picked
from basam.predict import Focus
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_sam


def candidate(focus, *scores):
    return FocusCandidate(focus, BOX, scores)


def test_the_default_stays_unless_it_is_beaten_by_more_than_an_error():
    usual, wide = Focus(), Focus(context=3)
    rest = [candidate(None, 0.9, 0.9, 0.9), candidate(usual, 0.5, 0.6, 0.7)]
    assert picked([*rest, candidate(wide, 0.6, 0.7, 0.8)], usual) == wide
    assert picked([*rest, candidate(wide, 0.9, 0.4, 0.6)], usual) == usual
    assert picked([*rest, candidate(wide, 0.4, 0.5, 0.6)], usual) == usual


def test_every_candidate_is_measured_on_the_same_photographs(tmp_path):
    root = write_pairs(tmp_path / "train", 3)
    predictor = basam.Predictor(tiny_sam())
    result = calibrate_focus(predictor, open_dataset("folder", root), count=3)
    assert [str(each) for each in result.candidates] == [
        "gt-box, whole photo",
        "gt-box, context 1.5, trained side",
        "gt-box, context 2, trained side",
        "gt-box, context 3, trained side",
        "gt-box, context 2, 96 px",
        "gt-point, whole photo",
        *(f"gt-point, context {result.chosen.context:g}, {side_of(result.chosen)}, {rule}" for rule in ("coarse", "scales")),
    ]
    assert {len(each.scores) for each in result.candidates} == {3}
    assert predictor.focus == result.chosen
    rows = result.found()
    assert rows[0]["minus_whole"] == 0
    assert rows[1]["mean"] == pytest.approx(np.mean(result.candidates[1].scores))


def side_of(focus):
    return "trained side" if focus.side is None else f"{focus.side} px"


def test_the_command_adds_a_section_and_keeps_the_mode(tmp_path):
    write_pairs(tmp_path / "data" / "train", 3)
    tiny_sam().save_pretrained(tmp_path / "model")
    out = tmp_path / "mode.json"
    out.write_text('{"mode": {"strength": 0.5}, "found": {"how": "by hand"}}')
    words = ["calibrate", "folder", tmp_path / "data", "--model", tmp_path / "model", "--focus", "--count", 3, "--out", out]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert "chosen" in result.stdout
    content = json.loads(out.read_text())
    assert content["mode"]["strength"] == 0.5
    assert Focus.from_dict(content["focus"])
    assert content["found"]["how"] == "by hand"
    assert len(content["found"]["focus"]["candidates"]) == 8
    result = CliRunner().invoke(app, ["calibrate", "--unlabelled", str(tmp_path), "--focus"])
    assert result.exit_code == 2
    assert "--focus needs masks" in result.output
