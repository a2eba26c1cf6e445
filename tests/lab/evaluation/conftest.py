"""A small data set, a small model and settings of a quick run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from basam.lab.evaluation.settings import EvaluateSettings
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Four images and masks."""
    return write_pairs(tmp_path / "data", 4)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random SAM trained, as it were, at 64 px, as a checkpoint folder."""
    return tiny_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture
def make_settings(pairs: Path, model_folder: Path) -> Any:
    """Settings of a quick run on `pairs`, with changes."""

    def make(**changes: Any) -> EvaluateSettings:
        quick: dict[str, Any] = {"kind": "folder", "root": str(pairs), "model": str(model_folder), "sizes": (64, 96)}
        return EvaluateSettings(**(quick | {"metrics": ("iou", "mae", "f_measure")} | changes))

    return make
