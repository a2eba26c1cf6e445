"""A run that was killed, and one shared by two processes, end with the summary of an unbroken one, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from basam.cli import app
from tests.helpers.forked import Forked, together
from tests.helpers.small_run import words, write_pairs

IMAGES = 10
LINES = IMAGES * 5  # resize once, plain and basam at two sizes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("many") / "data", IMAGES)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, root: Path, model_folder: Path) -> dict[str, bytes]:
    """Both summaries of a run in one process that measures beside nothing else."""
    out = tmp_path_factory.mktemp("unbroken") / "run"
    result = CliRunner().invoke(app, words(root, model_folder, out, "--workers", "0"))
    assert result.exit_code == 0, result.output
    assert len((out / "per_image.jsonl").read_text().splitlines()) == LINES
    return summaries(out)


def summaries(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("summary.json", "summary.csv")}


def test_killed_and_started_again(root: Path, model_folder: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "run"
    lines = out / "per_image.jsonl"
    process = Forked("basam", words(root, model_folder, out, "--workers", "1"), tmp_path / "output.txt")
    process.wait_until(lambda: lines.is_file() and lines.read_bytes().count(b"\n") >= 10)
    process.kill()
    assert not (out / "summary.json").exists()
    written = lines.read_bytes()
    assert 10 <= written.count(b"\n") < LINES
    whole = written[: written.rindex(b"\n") + 1]
    last = whole[whole.rindex(b"\n", 0, -1) + 1 :]
    lines.write_bytes(whole[: -len(last)] + last[: len(last) // 2])  # the kill fell into the middle of a line

    again = CliRunner().invoke(app, words(root, model_folder, out, "--workers", "0"))
    assert again.exit_code == 0, again.output
    assert summaries(out) == unbroken
    kept = lines.read_bytes()
    assert kept.startswith(whole[: -len(last)])  # resumed, and did not begin again
    assert kept.count(b"\n") == LINES
    assert len(json.loads((out / "run.json").read_text())["sessions"]) == 2


def test_two_processes(root: Path, model_folder: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "run"
    processes = together("basam", words(root, model_folder, out, "--workers", "0"), tmp_path)
    outputs = [f"{process.end()} {process.text}" for process in processes]
    assert all(output.startswith("0 ") for output in outputs), outputs
    assert json.loads((out / "run.json").read_text())["sessions"][0]["processes"] == 2
    assert summaries(out) == unbroken
    assert not list(out.glob("per_image.*.jsonl"))
    assert "".join(outputs).count("report.html") == 1  # one process reports
