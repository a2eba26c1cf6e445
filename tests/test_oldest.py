"""`make test-oldest` installs the lower bound of every library of every extra."""

from __future__ import annotations

import pytest

from tests.helpers.oldest import ROOT, constraints, lower_bounds

PROJECT = '[project]\nname = "basam"\ndependencies = ["torch>=2", "numpy>=1.26"]\n[project.optional-dependencies]\n'


def test_bounds_of_all_extras_are_taken_as_they_are_written() -> None:
    text = PROJECT + 'a = ["ray[data]>=2.60", "triton>=3.6; platform_system == \'Linux\'"]\ndev = ["basam[a]", "numpy>=1.26"]'
    assert lower_bounds(text) == {"numpy": "1.26", "ray": "2.60", "triton": "3.6"}


@pytest.mark.parametrize("extra", ['["numpy"]', '["numpy>=2.0"]', '["numpy<3"]'])
def test_a_bound_that_would_not_be_tested_is_refused(extra: str) -> None:
    with pytest.raises(ValueError, match="one lower bound is needed, the same in every extra"):
        lower_bounds(f"{PROJECT}a = {extra}")


def test_this_project_has_a_bound_for_everything() -> None:
    bounds = lower_bounds((ROOT / "pyproject.toml").read_text())
    assert {"transformers", "ray", "imagecodecs", "starlette", "triton", "shapely", "peft", "pytest"} <= bounds.keys()
    assert constraints()[0].startswith("torch==")
