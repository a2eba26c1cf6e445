"""`python -m studies.pretrain` as it is given: it resumes, it refuses what cannot be, and its model is always whole."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import SamModel

import basam
from tests.helpers.forked import Forked, together
from tests.helpers.tiny import tiny_sam

ROOT = Path(__file__).parents[2]
SMALL = ("--scenes", "5", "--batch", "2", "--prompts", "1", "--device", "cpu", "--precision", "no")


def run(out: Path, *words: str) -> tuple[int | None, str]:
    """Exit status and what is printed."""
    process = Forked("studies.pretrain", [str(out), *SMALL, *words], out.with_name(f"{out.name}.txt"))
    return process.end(), process.text


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """One photograph of COCO and one of DUTS, large enough that OpenCV reduces them with all of its threads."""
    height, width = 1500, 2000
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    coco, duts = tmp_path / "data" / "COCO", tmp_path / "data" / "standin-DUTS" / "DUTS-TR"
    for folder in (coco / "train2017", coco / "annotations", duts / "DUTS-TR-Image", duts / "DUTS-TR-Mask"):
        folder.mkdir(parents=True)
    Image.fromarray(pixels).save(coco / "train2017" / "000000000001.jpg")
    Image.fromarray(pixels).save(duts / "DUTS-TR-Image" / "person_1.jpg")
    mask = np.zeros((height, width), np.uint8)
    mask[300:1200, 400:1600] = 255
    Image.fromarray(mask).save(duts / "DUTS-TR-Mask" / "person_1.png")
    corners = [400, 300, 1600, 300, 1600, 1200, 400, 1200]
    instances = {
        "images": [{"id": 1, "file_name": "000000000001.jpg", "height": height, "width": width}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [corners], "iscrowd": 0,
                         "bbox": [400, 300, 1200, 900], "area": 1200 * 900}],
        "categories": [{"id": 1, "name": "thing"}],
    }  # fmt: skip
    (coco / "annotations" / "instances_train2017.json").write_text(json.dumps(instances))
    return tmp_path / "data"


def test_the_program_writes_a_model_that_loads_and_refuses_another_plan(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--steps", "2", "--decay", "1", "--save-every", "1")
    status, text = run(out, *words)
    assert status == 0, text
    assert f"2 steps are done; the model is in {out / 'nano'}" in text
    model = basam.load(out / "nano")
    assert sum(p.numel() for p in model.parameters()) < 6_000_000
    weights = out / "nano" / "model.safetensors"
    assert weights.stat().st_size < 12_000_000
    assert weights.stat().st_mode == (out / "nano" / "config.json").stat().st_mode
    status, text = run(out, *words, "--rate", "1e-3")
    assert status == 2
    assert "rate was 0.0006, now 0.001" in text

    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])  # as of a process that was killed while it wrote
    status, text = run(out, *words)
    assert status == 0, text
    assert weights.read_bytes() == whole
    assert "2 steps are done" in text


def test_photographs_are_trained_on_by_worker_processes(tmp_path: Path, photographs: Path) -> None:
    """In a process of its own, not one that a server forks: there OpenCV's threads do not stand in the way of a fork."""
    words = ("--steps", "1", "--decay", "1", "--data", str(photographs))
    command = [sys.executable, "-m", "studies.pretrain", str(tmp_path / "beside"), *SMALL, *words, "--workers", "1"]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        assert process.wait(120) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a worker that waits for ever, too
    status, text = run(tmp_path / "within", *words, "--workers", "0")
    assert status == 0, text
    with_one, without = (basam.load(tmp_path / name / "nano").state_dict() for name in ("beside", "within"))
    assert all(torch.equal(value, without[name]) for name, value in with_one.items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rate", "0"), "rate=0.0: a number above 0"),
        (("--seed", "-1"), "seed"),
        (("--data", "nowhere"), "nowhere/COCO: no such folder"),
        (("--init", "nowhere/at-all"), "nowhere/at-all"),
        (("--precision", "half"), "is not one of 'no'"),
        (("--device", "cuda:9"), "cuda"),
    ],
)
def test_what_cannot_be_is_said_before_scenes_are_rendered(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    status, text = run(tmp_path / "out", "--scenes", "100000", "--steps", "1", *words)
    assert status == 2, text
    assert message in text
    assert "Traceback" not in text
    assert not list(tmp_path.glob("out/scenes*"))


def test_a_model_of_another_size_or_kind_is_refused(tmp_path: Path) -> None:
    tiny_sam(128).save_pretrained(tmp_path / "other")
    status, text = run(tmp_path / "out", "--steps", "1", "--init", str(tmp_path / "other"))
    assert status == 2
    assert "other is a SamModel of 128 px with patches of 16: a SamModel of 256 px with patches of 16 px is needed" in text


def test_a_file_in_the_place_of_the_run_folder_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    status, text = run(tmp_path / "out", "--steps", "1")
    assert (status, "out is a file: a folder is needed" in text) == (2, True), text
    assert (tmp_path / "out").read_text() == "mine"


def test_two_processes_take_equal_parts_of_a_batch(tmp_path: Path) -> None:
    words = [str(tmp_path / "out"), *SMALL, "--steps", "1", "--decay", "1", "--workers", "0"]
    odd = together("studies.pretrain", [*words, "--batch", "3"], tmp_path)
    assert [one.end() for one in odd] == [2, 2], [one.text for one in odd]
    assert all("--batch 3 on 2 processes" in one.text and "a multiple of 2" in one.text for one in odd)


def test_what_is_written_is_read_by_transformers(tmp_path: Path) -> None:
    status, text = run(tmp_path / "out", "--steps", "1", "--decay", "1")
    assert status == 0, text
    assert isinstance(SamModel.from_pretrained(tmp_path / "out" / "nano"), SamModel)
