"""Photographs of noise, a small model, and `basam segment` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.tiny import tiny_folder

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 12 photographs, of two sizes."""
    return write_photos(tmp_path_factory.mktemp("photos"), 12)


def write_photos(folder: Path, count: int) -> Path:
    generator = np.random.default_rng(0)
    for number in range(count):
        size = (48, 80, 3) if number % 2 else (72, 56, 3)
        Image.fromarray(generator.integers(0, 256, size, dtype=np.uint8)).save(folder / f"{number:03}.png")
    return folder


def start(*words: object, **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment}
    command = [sys.executable, "-m", "basam", "segment", *map(str, words)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def segment():
    """Starts `basam segment`; what still runs at the end is stopped."""
    started = []

    def begin(*words: object, **environment: str) -> subprocess.Popen[str]:
        started.append(start(*words, **environment))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def results(folder: Path) -> dict[str, bytes]:
    """All files of a result folder but those that tell how the work went: records, whose seconds differ, and lines for COCO."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".jsonl"
    }
