"""Work of clients that have gone, and several downloads at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from basam.web.session import StaleError
from basam.web.worker import CLICK, StoppedError, Worker
from tests.web.conftest import DISC, put


def test_the_job_of_a_future_that_nobody_waits_for_is_dropped_waiting_or_running():
    worker, begun, done = Worker(), threading.Event(), []

    def work() -> None:
        begun.set()
        while True:
            worker.checkpoint()
            time.sleep(0.001)

    running = worker.submit(work, urgency=CLICK, kind="click", label="")
    waiting = worker.submit(lambda: done.append(1), urgency=CLICK, kind="click", label="")
    last: Future[int] = worker.submit(lambda: 3, urgency=CLICK, kind="click", label="")
    begun.wait()
    worker.cancel_future(waiting)
    worker.cancel_future(running)
    assert last.result(10) == 3
    assert waiting.cancelled()
    assert isinstance(running.exception(), StoppedError)
    assert done == []
    worker.close()


@pytest.fixture
def blocked(client, workspace, first, monkeypatch: pytest.MonkeyPatch):
    """A download whose pixels come when the event is set."""
    put(client, first, points=[DISC])
    go = threading.Event()
    pixels = workspace.exports.pixels
    monkeypatch.setattr(workspace.exports, "pixels", lambda photo: (go.wait(60), pixels(photo))[1])
    yield go
    go.set()


def test_a_window_saves_one_thing_at_a_time_and_sees_how_far_it_is(blocked, client, workspace, first, tmp_path: Path):
    job = workspace.exports.start("overlay", [first], tmp_path, "me")
    with pytest.raises(StaleError):
        workspace.exports.start("overlay", [first], tmp_path, "me")
    mine, others = (client.get("/api/progress", headers={"x-basam-window": each}).json()["export"] for each in ("me", "you"))
    assert (mine, others) == ({"done": 0, "photos": 1}, None)
    blocked.set()
    assert job.future.result(60).path.exists()
    assert client.get("/api/progress", headers={"x-basam-window": "me"}).json()["export"] is None


def test_pages_and_clicks_go_on_beside_many_downloads(blocked, client, workspace, first, tmp_path: Path):
    jobs = [workspace.exports.start("overlay", [first], tmp_path / str(number), f"w{number}") for number in range(45)]
    assert client.get("/api/overview").status_code == 200
    assert client.get(f"/api/photos/{first}/tiles/0/0/0").status_code == 200
    assert put(client, first, key="b2", points=[DISC, [200, 200, 0]]).status_code == 200
    for number in range(45):
        workspace.exports.cancel(f"w{number}")
    blocked.set()
    assert all(job.future.cancelled() or job.future.exception(60) or job is jobs[0] for job in jobs)
    written = {path.name for path in tmp_path.iterdir() if path.name.isdigit() and any(path.iterdir())}
    assert written <= {"0"}
