"""Runs that were killed, that were shared among processes or that ran on Ray give what one unbroken run gives."""

import json
import signal
import time

import pytest
import torch
from typer.testing import CliRunner

from basam.batch import RECORDS
from basam.cli import app
from tests.batch.conftest import results, write_photos

HOW = ("--box", "5,6,40,44", "--write", "mask,overlay,coco,csv")


def lines(folder):
    return [json.loads(text) for text in (folder / RECORDS).read_text().splitlines()]


def run(*words, **environment):
    """Here, with one thread as the processes have: sums in another order round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = CliRunner().invoke(app, list(map(str, words)), env=environment)
    finally:
        torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def whole(photos, model, tmp_path_factory):
    """One run of all photos: its folder."""
    out = tmp_path_factory.mktemp("whole")
    run("segment", photos, *HOW, "--model", model, "--out", out)
    return out


def kill_after(process, out, count):
    """SIGKILL as soon as the records have so many lines; how many photos were done."""
    deadline = time.monotonic() + 200
    while not (out / RECORDS).exists() or (out / RECORDS).read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return sum("rows" in json.loads(text) for text in (out / RECORDS).read_text().splitlines() if text.endswith("}"))


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_a_killed_run_resumes_to_the_same_bytes(count, model, tmp_path, tmp_path_factory, segment):
    """Killed with a fourth, and again with half of the photos done."""
    photos = write_photos(tmp_path_factory.mktemp("photos"), count)
    unbroken = tmp_path / "unbroken"
    words = (photos, *HOW, "--model", model, "--out")
    run("segment", *words, unbroken)
    out = tmp_path / "out"
    done = 0
    for share in (0.25, 0.5)[: 1 if count < 100 else 2]:
        now = kill_after(segment(*words, out), out, 2 * count * share)  # two lines a photo
        assert done < now < count
        done = now
    shown = run("segment", *words, out)
    assert results(out) == results(unbroken)
    assert f"note: {done} of {count} photos were done already" in shown.stderr
    assert sum("rows" in line for line in lines(out)) == count  # none was done twice


def test_two_shards_at_once_in_one_folder_are_one_run(photos, model, whole, tmp_path, segment):
    words = (photos, *HOW, "--model", model, "--out", tmp_path)
    processes = [segment(*words, "--shard", "0/2"), segment(*words, RANK="1", WORLD_SIZE="2")]
    shown = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], shown
    assert "note: shard 1/2, number of photos: 6" in shown[1][1]
    assert results(tmp_path) == results(whole)
    rows = [line["rows"][0] for line in lines(tmp_path) if "rows" in line]
    assert len(rows) == 12
    of_photo = [
        {line["name"]: line["rows"][0]["predicted_iou"] for line in lines(out) if "rows" in line} for out in (tmp_path, whole)
    ]
    assert of_photo[0] == of_photo[1]


def test_shards_in_folders_of_their_own_merge_into_one_coco_file(photos, model, whole, tmp_path):
    parts = [tmp_path / "0", tmp_path / "1"]
    run("segment", photos, *HOW, "--model", model, "--out", parts[0], "--shard", "0/2")
    run("segment", photos, *HOW, "--model", model, "--out", parts[1], RANK="1", WORLD_SIZE="2")
    assert "number of photos: 12" in run("merge", *parts, "--out", tmp_path / "coco.json").stdout
    assert (tmp_path / "coco.json").read_bytes() == (whole / "coco.json").read_bytes()
    assert results(parts[0]).keys() | results(parts[1]).keys() == results(whole).keys()


def test_everything_in_two_shards_is_one_run(photos, model, tmp_path):
    how = ("--points-per-side", 3, "--iou", 0, "--stability", 0, "--write", "labels,coco,csv")
    words = ("everything", photos, *how, "--model", model, "--out")
    run(*words, tmp_path / "whole")
    for shard in ("0/2", "1/2"):
        run(*words, tmp_path / "shards", "--shard", shard)
    assert results(tmp_path / "shards") == results(tmp_path / "whole")
    assert len(json.loads((tmp_path / "whole" / "coco.json").read_text())["annotations"]) > 12


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_workers_of_ray_are_one_run(workers, photos, model, whole, tmp_path, segment):
    pytest.importorskip("ray", reason='Ray is absent: pip install -e ".[ray]"')
    words = (photos, *HOW, "--model", model, "--out", tmp_path, "--ray", "local", "--ray-workers", workers, "--json")
    process = segment(*words)
    shown, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert results(tmp_path) == results(whole)
    rows = {line["name"]: line["rows"][0]["predicted_iou"] for line in lines(tmp_path) if "rows" in line}
    assert len(rows) == 12
    assert {row["photo"].rsplit("/", 1)[-1]: row["predicted_iou"] for row in json.loads(shown)} == rows
    # What was done on Ray is done, also for a run without.
    assert "12 of 12 photos were done already" in run("segment", *words[: words.index("--ray")]).stderr


def test_a_model_that_ray_cannot_load_is_one_line(photos, tmp_path, segment):
    pytest.importorskip("ray", reason='Ray is absent: pip install -e ".[ray]"')
    process = segment(photos, "--model", tmp_path / "absent", "--out", tmp_path / "out", "--ray", "local", "--ray-workers", "1")
    shown, errors = process.communicate(timeout=200)
    assert process.returncode == 2, errors
    assert not shown
    (line,) = [line for line in errors.splitlines() if line.startswith("error:")]
    assert f"model '{tmp_path / 'absent'}'" in line
    assert "Traceback" not in errors
