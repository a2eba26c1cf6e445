"""The queue: what is urgent first, cancelling by who asked, making room for those who wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from basam.web.worker import AHEAD, CLICK, VIEW, StoppedError, Worker

WAIT = 30


@pytest.fixture
def worker() -> Iterator[Worker]:
    found = Worker()
    yield found
    found.close()


class Encoding:
    """A long job with checkpoints; `begun` counts how often it began, `gate` lets it end."""

    def __init__(self, worker: Worker) -> None:
        self.worker, self.begun, self.gate, self.runs = worker, 0, threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun += 1
        self.runs.set()
        while not self.gate.wait(0.001):
            self.worker.checkpoint()
        return "encoded"


def submit(worker: Worker, work, urgency: int, owner: str = ""):
    return worker.submit(work, urgency=urgency, kind="kind", label="label", owner=owner)


def test_the_urgent_goes_first(worker):
    gate, order = threading.Event(), []
    first = submit(worker, lambda: gate.wait(WAIT), VIEW)
    futures = [submit(worker, lambda each=each: order.append(each), each) for each in (AHEAD, VIEW, CLICK)]
    gate.set()
    for each in (first, *futures):
        each.result(WAIT)
    assert order == [CLICK, VIEW, AHEAD]


def test_what_runs_is_stopped_at_its_next_checkpoint(worker):
    encoding = Encoding(worker)
    future = submit(worker, encoding, VIEW, "me")
    assert encoding.runs.wait(WAIT)
    assert worker.cancel("me") == 1
    with pytest.raises(StoppedError):
        future.result(WAIT)
    assert submit(worker, lambda: 5, VIEW).result(WAIT) == 5


def test_a_window_cancels_only_its_own(worker):
    encoding = Encoding(worker)
    mine, other = submit(worker, encoding, VIEW, "me"), submit(worker, lambda: 1, VIEW, "other")
    own = submit(worker, lambda: 2, VIEW, "me")
    assert encoding.runs.wait(WAIT)
    assert worker.reported("other")["own"]
    assert worker.cancel("nobody") == 0
    assert worker.cancel("me") == 2
    assert other.result(WAIT) == 1
    assert own.cancelled()
    with pytest.raises(StoppedError):
        mine.result(WAIT)


def test_what_is_done_ahead_makes_room_and_begins_anew(worker):
    encoding = Encoding(worker)
    ahead = submit(worker, encoding, AHEAD)
    assert encoding.runs.wait(WAIT)
    assert submit(worker, lambda: encoding.begun, CLICK).result(WAIT) == 1
    encoding.gate.set()
    assert ahead.result(WAIT) == "encoded"
    assert encoding.begun == 2


def test_what_began_anew_is_cancelled_while_it_waits(worker):
    encoding, gate = Encoding(worker), threading.Event()
    ahead = submit(worker, encoding, AHEAD, "me")
    assert encoding.runs.wait(WAIT)
    click = submit(worker, lambda: gate.wait(WAIT), CLICK)
    while worker.running is None or worker.running.urgency == AHEAD:
        pass
    assert worker.cancel("me") == 1
    gate.set()
    click.result(WAIT)
    with pytest.raises(StoppedError):
        ahead.result(WAIT)
    assert encoding.begun == 1


def test_only_jobs_of_a_kind_are_cancelled_where_that_is_asked(worker):
    gate = threading.Event()
    running = submit(worker, lambda: gate.wait(WAIT), CLICK, "me")
    kept = submit(worker, lambda: 1, VIEW, "me")
    other = worker.submit(lambda: 2, urgency=VIEW, kind="other kind", label="", owner="me")
    assert worker.cancel("me", "other kind") == 1
    gate.set()
    assert running.result(WAIT)
    assert kept.result(WAIT) == 1
    assert other.cancelled()


def test_an_error_is_its_futures_and_the_worker_goes_on(worker):
    def fails():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        submit(worker, fails, CLICK).result(WAIT)
    assert submit(worker, lambda: 1, CLICK).result(WAIT) == 1


def test_the_time_left_follows_from_the_share_that_is_done(worker):
    half, gate = threading.Event(), threading.Event()

    def work():
        worker.progress(1, 2)
        half.set()
        gate.wait(WAIT)

    future = submit(worker, work, VIEW, "me")
    assert half.wait(WAIT)
    found = worker.reported("me")
    assert found["share"] == 0.5
    assert found["left"] == pytest.approx(found["seconds"], abs=0.05)
    gate.set()
    future.result(WAIT)
    assert worker.reported("me") == {"running": None, "waiting": 0}


def test_a_checkpoint_of_another_thread_stops_nothing(worker):
    encoding = Encoding(worker)
    future = submit(worker, encoding, VIEW, "me")
    assert encoding.runs.wait(WAIT)
    worker.cancel("me")
    worker.checkpoint()  # such as a model that is used elsewhere
    with pytest.raises(StoppedError):
        future.result(WAIT)
