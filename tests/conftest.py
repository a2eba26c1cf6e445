"""Options, markers and tiny models that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.helpers.tiny import tiny_sam

if "PYTEST_XDIST_WORKER" in os.environ:  # one core each; processes that tests start follow
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

# How long one example takes says how busy the machine is.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
        if "cuda" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="PyTorch sees no CUDA GPU"))
        if "real" in item.path.parts and not DATA.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no photographs: {DATA} is absent"))


@pytest.fixture
def data() -> Path:
    return DATA


@pytest.fixture
def tiny() -> torch.nn.Module:
    """A random SAM of 64 px and 4 x 4 tokens, two window and two global layers."""
    return tiny_sam()
