"""A small base, a small data set and settings of a quick run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from basam.lab.tuning.fine_tuning import Tuning
from basam.lab.tuning.recipe import TuneSettings
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random SAM of 64 px as a checkpoint folder."""
    return tiny_folder(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs with masks, of which one is set aside."""
    return write_pairs(tmp_path_factory.mktemp("photos") / "data", 12)


@pytest.fixture
def quick(base: Path, photos: Path) -> Any:
    """Settings of a run of six steps, with changes."""

    def make(**changes: Any) -> TuneSettings:
        options: dict[str, Any] = {"data": (f"folder:{photos}",), "model": str(base), "sizes": "64-96", "steps": 6}
        return TuneSettings(**(options | {"batch_size": 2, "validate_every": 3} | changes))

    return make


@pytest.fixture
def tuning(quick: Any, tmp_path: Path) -> Any:
    """A run in `tmp_path/NAME`."""

    def make(name: str = "run", **changes: Any) -> Tuning:
        return Tuning(quick(**changes), tmp_path / name, trackers=(), report=lambda text: None)

    return make
