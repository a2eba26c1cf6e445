"""Every study starts: what its page says to run is understood before hours are spent on it."""

import sys
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "study", ["calibration", "compare_runs", "extrapolation", "focus", "generalised", "generalised_focus", "nano", "zero_shot"]
)
def test_a_study_says_how_it_is_run(study, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [study, "--help"])
    with pytest.raises(SystemExit) as ended:
        import_module(f"studies.{study}").main()
    assert ended.value.code in (None, 0)
    assert "usage: " in capsys.readouterr().out
