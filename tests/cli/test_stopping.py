"""Starting that fails, and stopping from outside: one line each, nothing left behind."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import basam
from basam import printing
from basam.batch import ResultFolder, ray_running

SOURCE = Path(basam.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


def start(*words):
    command = [sys.executable, "-m", "basam", *map(str, words)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sigterm_ends_a_run_in_order_and_it_resumes(tmp_path, model):
    (tmp_path / "photos").mkdir()
    for number in range(60):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / "photos" / f"{number:02}.png")
    words = ("segment", tmp_path / "photos", "--model", model, "--out", tmp_path / "out")
    process = start(*words)
    wait_for(lambda: (tmp_path / "out" / "records.jsonl").exists(), process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert errors.strip().endswith("stopped; the same command resumes")
    assert not [path for path in (tmp_path / "out").rglob("*") if "partial" in path.name]
    lines = [json.loads(text) for text in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    done = sum("rows" in line for line in lines)
    assert 0 < done < 60
    again = start(*words)
    assert f"note: {done} of 60 photos were done already" in again.communicate(timeout=120)[1]


def test_sigterm_leaves_no_semaphores_of_workers(tmp_path):
    root = tmp_path / "data"
    for folder in ("im", "gt"):
        (root / "DIS-VD" / folder).mkdir(parents=True)
    for number in range(40):
        pixels = np.zeros((256, 256, 3), np.uint8)
        pixels[40:200, 50:180] = 200
        Image.fromarray(pixels).save(root / "DIS-VD" / "im" / f"{number:02}.jpg")
        Image.fromarray((pixels[..., 0] > 0).astype(np.uint8) * 255).save(root / "DIS-VD" / "gt" / f"{number:02}.png")
    words = ("evaluate", "dis5k", root, "--workers", 2, "--sizes", "256", "--methods", "plain", "--out", tmp_path / "out")
    process = start(*words)
    wait_for(lambda: (tmp_path / "out" / "per_image.jsonl").exists(), process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "leaked" not in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOTDIR])
def test_a_folder_that_cannot_be_written_has_the_systems_reason(tmp_path, monkeypatch, number):
    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OSError, match=f"cannot write to the output folder .*: {os.strerror(number)}"):
        ResultFolder(tmp_path)


@pytest.mark.parametrize(
    ("error", "address"),
    [(Exception("The current node timed out"), "local"), (RuntimeError("version mismatch"), "auto"), (OSError("x"), "local")],
)
def test_ray_that_does_not_start_is_one_line(monkeypatch, error, address):
    ray = pytest.importorskip("ray", reason='Ray is absent: pip install -e ".[ray]"')

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(basam.BasamError, match=f"--ray {address}: Ray does not start .{error}.; "), ray_running(address):
        pass


@pytest.mark.parametrize("before", [0, 50])
def test_progress_without_a_terminal_is_a_line_now_and_then(monkeypatch, capsys, before):
    now = [0.0]
    monkeypatch.setattr(printing.time, "monotonic", lambda: now[0])
    with printing.Bars(before=before) as bars:
        for done in range(before + 1, before + 101):
            now[0] += 1
            bars.show("photos", done, before + 100, ", loss 0.5")
    assert capsys.readouterr().err.splitlines() == [
        f"photos: {before + done} of {before + 100}, about {100 - done} s left, loss 0.5" for done in (30, 60, 90)
    ]
