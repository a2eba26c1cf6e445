"""One thread that asks the model, one job after the other, the most urgent first; and what the page is told of it."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

# Smaller is more urgent. Someone waits for a click; nobody for the photo after this one.
CLICK, LOOK, AHEAD = 0, 1, 2
# How much the newest job of a kind counts in the time that is expected of the next.
NEWEST = 0.5


@dataclass(order=True)
class Job:
    """A call that waits. `kind` is what its time is estimated by, `label` what the page shows."""

    urgency: int
    number: int
    work: Callable[[], Any] = field(compare=False)
    future: Future[Any] = field(compare=False)
    kind: str = field(compare=False)
    label: str = field(compare=False)


class Worker:
    """A thread that runs jobs; results come as futures.

    A job that runs is not stopped: the model is in the middle of a call. One that waits is, by cancelling its future.
    """

    def __init__(self) -> None:
        self.waiting: list[Job] = []
        self.running: tuple[Job, float] | None = None
        self.expected: dict[str, float] = {}
        self.numbers = itertools.count()
        self.changed = threading.Condition()
        self.listeners: list[Callable[[], None]] = []
        self.open = True
        self.thread = threading.Thread(target=self.run, name="basam-web", daemon=True)
        self.thread.start()

    def submit(self, work: Callable[[], Any], *, urgency: int, kind: str, label: str) -> Future[Any]:
        job = Job(urgency, next(self.numbers), work, Future(), kind, label)
        with self.changed:
            heapq.heappush(self.waiting, job)
            self.changed.notify()
        self.tell()
        return job.future

    def cancel(self) -> int:
        """Cancel all that wait; how many these were."""
        with self.changed:
            cancelled, self.waiting = self.waiting, []
        for job in cancelled:
            job.future.cancel()
        self.tell()
        return len(cancelled)

    def close(self) -> None:
        """End after the job at hand."""
        self.cancel()
        with self.changed:
            self.open = False
            self.changed.notify()
        self.thread.join()

    def told(self) -> dict[str, Any]:
        """For the page: what runs, since how many seconds, how long it is expected to take (None: unknown), how many wait."""
        with self.changed:
            waiting, running = list(self.waiting), self.running
            expected = dict(self.expected)
        if running is None:
            return {"running": None, "waiting": len(waiting)}
        job, start = running
        return {
            "running": job.label,
            "ahead": job.urgency == AHEAD,
            "seconds": round(time.monotonic() - start, 2),
            "expected": expected.get(job.kind),
            "left": sum(expected.get(each.kind, 0.0) for each in waiting),
            "waiting": len(waiting),
        }

    def tell(self) -> None:
        for listener in list(self.listeners):
            listener()

    def run(self) -> None:
        while True:
            with self.changed:
                while self.open and not self.waiting:
                    self.changed.wait()
                if not self.open:
                    return
                job = heapq.heappop(self.waiting)
                if not job.future.set_running_or_notify_cancel():
                    continue
                self.running = job, time.monotonic()
            self.tell()
            try:
                result = job.work()
            except BaseException as error:
                self.finish(job)
                job.future.set_exception(error)
            else:
                self.finish(job)
                job.future.set_result(result)
            del job

    def finish(self, job: Job) -> None:
        with self.changed:
            assert self.running is not None
            seconds = time.monotonic() - self.running[1]
            before = self.expected.get(job.kind, seconds)
            self.expected[job.kind] = NEWEST * seconds + (1 - NEWEST) * before
            self.running = None
        self.tell()
