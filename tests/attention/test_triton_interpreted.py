"""The Triton kernels without a GPU, in Triton's interpreter: in a process of its own, since the flag is read at import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attention.triton_cases import LARGER, TINY, Case, limit

pytest.importorskip("triton")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def errors(request: pytest.FixtureRequest) -> dict[str, dict[str, float]]:
    count = len(TINY) + (len(LARGER) if request.config.getoption("--slow") else 0)
    done = subprocess.run(
        [sys.executable, "-m", "tests.attention.triton_cases", *map(str, range(count))],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, float]] = {}
    for line in done.stdout.splitlines():
        found |= json.loads(line)
    return found


@pytest.mark.parametrize(
    "case", [*TINY, *(pytest.param(case, marks=pytest.mark.slow) for case in LARGER)], ids=lambda case: case.name
)
def test_kernels_equal_the_formula(errors: dict[str, dict[str, float]], case: Case) -> None:
    found = errors[case.name]
    assert set(found) >= ({"windows"} if case.window else {"out", "dq", "dk", "dv", "drows", "dcols", "relative", "mask"})
    assert {name: worst for name, worst in found.items() if not worst <= limit(case, name)} == {}
