"""What tests of several commands need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.tiny import tiny_folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random SAM trained, as it were, at 64 px, as a checkpoint folder."""
    return tiny_folder(tmp_path_factory.mktemp("model"))
