"""Runs that were killed, that were shared among processes or that ran on Ray give what one unbroken run gives."""

import json
import signal
import time

import pytest

from basam.files import RECORDS
from tests.distributed.conftest import results


def lines(folder):
    return [json.loads(text) for text in (folder / RECORDS).read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(photos, model, tmp_path_factory):
    """One run of all photos: its folder."""
    from tests.distributed.conftest import start

    out = tmp_path_factory.mktemp("whole")
    process = start(photos, "--box", "5,6,40,44", "--model", model, "--out", out)
    assert process.wait(120) == 0, process.communicate()
    process.communicate()
    return out


def test_a_killed_run_resumes_to_the_same_bytes(photos, model, whole, tmp_path, segment):
    words = (photos, "--box", "5,6,40,44", "--model", model, "--out", tmp_path)
    process = segment(*words)
    deadline = time.monotonic() + 100
    while not (tmp_path / RECORDS).exists() or (tmp_path / RECORDS).read_bytes().count(b"\n") < 5:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = sum("rows" in json.loads(text) for text in (tmp_path / RECORDS).read_text().splitlines() if text.endswith("}"))
    assert done >= 1
    second = segment(*words)
    told = second.communicate(timeout=120)
    assert second.returncode == 0, told
    assert results(tmp_path) == results(whole)
    assert f"note: {done} of 12 photos were done already" in told[1]
    assert sum("rows" in line for line in lines(tmp_path)) == 12  # none was done twice


def test_two_shards_at_once_are_one_run(photos, model, whole, tmp_path, segment):
    words = (photos, "--box", "5,6,40,44", "--model", model, "--out", tmp_path)
    processes = [segment(*words, "--shard", "1/2"), segment(*words, RANK="1", WORLD_SIZE="2")]
    told = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    assert "note: shard 2/2, number of photos: 6" in told[1][1]
    assert results(tmp_path) == results(whole)
    rows = [line["rows"][0] for line in lines(tmp_path) if "rows" in line]
    assert len(rows) == 12
    of_whole = {line["photo"]: line["rows"][0]["predicted_iou"] for line in lines(whole) if "rows" in line}
    assert {row["photo"]: row["predicted_iou"] for row in rows} == of_whole


def test_two_workers_of_ray_are_one_run(photos, model, whole, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason='Ray is absent: pip install "basam[ray]"')
    from basam.data import PromptRow
    from basam.distributed import SegmentSettings, outcomes_of, ray_segment, tasks_of
    from basam.files import ResultFolder
    from tests.distributed.conftest import SOURCE

    monkeypatch.setenv("PYTHONPATH", f"{SOURCE}:{SOURCE.parent}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        folder = ResultFolder(tmp_path, shared=True)
        tasks = tasks_of(folder, sorted(photos.iterdir()), [PromptRow((5, 6, 40, 44))])
        results_of_ray = ray_segment(tasks, tmp_path, SegmentSettings(model=str(model)), workers=2)
        outcomes = list(outcomes_of(results_of_ray))
    finally:
        ray.shutdown()
    assert [outcome.error for outcome in outcomes] == [None] * 12
    assert results(tmp_path) == results(whole)
    assert sum("rows" in line for line in lines(tmp_path)) == 12
