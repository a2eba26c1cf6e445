"""Long lists of cases of which a few run by default, and all with --slow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slowly(cases: Iterable[Any], *quick: Any) -> list[Any]:
    """The cases for `parametrize`: those in `quick` as they are, the others marked slow."""
    cases = list(cases)
    assert all(case in cases for case in quick), "a case that is not in the list"
    marked = (case if isinstance(case, tuple) else (case,) for case in cases)
    return [
        case if case in quick else pytest.param(*values, marks=pytest.mark.slow)
        for case, values in zip(cases, marked, strict=True)
    ]
