"""One photo after the other: what stops the work, what does not, and how much is held."""

import errno
import json
import threading
import warnings

import pytest
from PIL import Image

from basam.batch import ResultFolder, SegmentSettings, open_job, run, running, tasks_of
from basam.batch.memory_budget import MemoryBudget
from basam.errors import FullDiskError
from tests.batch.conftest import results


@pytest.fixture
def begin(photos, model, tmp_path):
    """The job on a folder, and its tasks."""

    def opened(name="out", **settings):
        outputs = SegmentSettings(model=str(model), **settings).outputs(ResultFolder(tmp_path / name))
        return open_job(SegmentSettings(model=str(model), **settings), outputs), tasks_of(outputs, sorted(photos.iterdir()))

    return opened


def test_a_full_disk_stops_the_work_and_the_same_work_resumes(begin, tmp_path, monkeypatch):
    list(run(*begin("whole")))
    job, tasks = begin()
    with monkeypatch.context() as patch:

        def full(*arguments, **options):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Image.Image, "save", full)
        with pytest.raises(FullDiskError, match=r"no room to write .*\.png: No space left on device"):
            list(run(job, tasks[:2]))
    assert [outcome.error for outcome in run(*begin())] == [None] * 12
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_however_little_is_held_all_photos_are_done_in_their_order(begin, monkeypatch):
    monkeypatch.setattr(running, "MemoryBudget", lambda: MemoryBudget(most=1))
    job, tasks = begin()
    assert [outcome.photo for outcome in run(job, tasks)] == [task.photo for task in tasks]


def test_photos_are_not_read_ahead_without_room(begin, monkeypatch):
    """One photo fills the budget: the next one is read when it was written."""
    monkeypatch.setattr(running, "MemoryBudget", lambda: MemoryBudget(most=1))
    job, tasks = begin()
    order = []
    read, write = type(job).read, type(job).write
    monkeypatch.setattr(type(job), "read", lambda self, task: (order.append(("read", task.stem)), read(self, task))[1])
    monkeypatch.setattr(
        type(job), "write", lambda self, task, *rest: (write(self, task, *rest), order.append(("written", task.stem)))[0]
    )
    list(run(job, tasks[:4]))
    assert order == [(what, task.stem) for task in tasks[:4] for what in ("read", "written")]


def test_work_that_ends_early_does_not_wait_for_room(begin, monkeypatch):
    monkeypatch.setattr(running, "MemoryBudget", lambda: MemoryBudget(most=1))
    job, tasks = begin()
    before = threading.active_count()
    line = run(job, tasks)
    next(line)
    line.close()
    assert threading.active_count() == before


def test_the_coco_file_is_made_of_the_records_again(begin, tmp_path):
    list(run(*begin(kinds=("mask", "coco"))))
    job, tasks = begin(kinds=("mask", "coco"))
    assert not (tmp_path / "out" / "coco.json").exists()
    assert all(outcome.before for outcome in run(job, tasks))
    job.outputs.finish()
    assert len(json.loads((tmp_path / "out" / "coco.json").read_text())["images"]) == 12


def test_a_photo_that_fails_is_recorded_and_the_others_are_done(begin, photos, tmp_path):
    job, tasks = begin()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    more = tasks_of(job.outputs, [broken])
    found = list(run(job, [tasks[0], *more, tasks[1]]))
    assert [bool(outcome.error) for outcome in found] == [False, True, False]
    (line,) = [line for line in map(json.loads, (tmp_path / "out" / "records.jsonl").open()) if "error" in line]
    assert line["photo"] == "../broken.png"


def test_warnings_of_the_caller_between_photos_are_its_own(begin):
    """Whatever it has set up for them, also after the first photo; notes on photos are none of its warnings."""
    job, tasks = begin(long_side="auto")
    before = warnings.showwarning, list(warnings.filters)
    running_now = run(job, tasks[:3])
    next(running_now)
    assert (warnings.showwarning, list(warnings.filters)) == before
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("mine", stacklevel=1)
        outcomes = list(running_now)
        warnings.warn("mine, too", stacklevel=1)
    assert [str(each.message) for each in caught] == ["mine", "mine, too"]
    assert all(outcome.error is None for outcome in outcomes)
    assert (warnings.showwarning, list(warnings.filters)) == before
