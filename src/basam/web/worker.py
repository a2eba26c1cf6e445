"""One thread that runs the model, one job after the other, the most urgent first; and what the page shows of it."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from basam.errors import InputError

# Smaller is more urgent. Someone waits for a click; nobody for the photo after this one.
CLICK, VIEW, AHEAD = 0, 1, 2
# How much the newest job of a kind counts in the time that is expected of the next.
NEWEST_WEIGHT = 0.5


class StoppedError(InputError):
    """A job that was cancelled."""


class BusyError(InputError):
    """More requests at a time than are taken."""


@dataclass(order=True)
class Job:
    """A call that waits or runs.

    Attributes:
        kind: what its time is estimated by; label: what the page shows; owner: the window that it is for.
        begun: when it began, on the monotonic clock; share: how much of it is done, where it says so.
        stop: it is to end at its next checkpoint; `later`: and to begin again afterwards.
    """

    urgency: int
    number: int
    work: Callable[[], Any] = field(compare=False)
    future: Future[Any] = field(compare=False)
    kind: str = field(compare=False)
    label: str = field(compare=False)
    owner: str = field(compare=False, default="")
    begun: float = field(compare=False, default=0.0)
    share: float | None = field(compare=False, default=None)
    stop: bool = field(compare=False, default=False)
    later: bool = field(compare=False, default=False)

    def is_of(self, owner: str, kinds: Sequence[str]) -> bool:
        return self.owner == owner and (not kinds or self.kind in kinds)

    def give_up(self) -> None:
        if not self.future.cancel():  # it had begun before
            self.future.set_exception(StoppedError("cancelled"))


class Worker:
    """A thread that runs jobs; results come as futures.

    A job that waits is cancelled by taking it out; one that runs ends at its next `checkpoint`. What is done ahead of time
    makes room for what someone waits for, and begins again afterwards.
    """

    def __init__(self) -> None:
        self.waiting: list[Job] = []
        self.running: Job | None = None
        self.expected: dict[str, float] = {}
        self.numbers = itertools.count()
        self.changed = threading.Condition()
        self.open = True
        self.thread = threading.Thread(target=self.run, name="basam-web", daemon=True)
        self.thread.start()

    def submit(self, work: Callable[[], Any], *, urgency: int, kind: str, label: str, owner: str = "") -> Future[Any]:
        job = Job(urgency, next(self.numbers), work, Future(), kind, label, owner)
        with self.changed:
            heapq.heappush(self.waiting, job)
            if self.running is not None and self.running.urgency == AHEAD and urgency < AHEAD:
                self.running.stop = self.running.later = True
            self.changed.notify()
        return job.future

    def cancel(self, owner: str, *kinds: str) -> int:
        """Cancel the jobs of a window, or those of some kinds; how many these were."""
        with self.changed:
            cancelled = [job for job in self.waiting if job.is_of(owner, kinds)]
            self.waiting = [job for job in self.waiting if not job.is_of(owner, kinds)]
            heapq.heapify(self.waiting)
            stopped = self.running
            if stopped is not None and stopped.is_of(owner, kinds):
                stopped.stop, stopped.later = True, False
            else:
                stopped = None
        for job in cancelled:
            job.give_up()
        return len(cancelled) + (stopped is not None)

    def cancel_future(self, future: Future[Any]) -> None:
        """Cancel the job of a future that nobody waits for any more."""
        with self.changed:
            cancelled = [job for job in self.waiting if job.future is future]
            self.waiting = [job for job in self.waiting if job.future is not future]
            heapq.heapify(self.waiting)
            if self.running is not None and self.running.future is future:
                self.running.stop, self.running.later = True, False
        for job in cancelled:
            job.give_up()

    def close(self) -> None:
        """End after the job at hand."""
        with self.changed:
            self.open = False
            cancelled, self.waiting = self.waiting, []
            self.changed.notify()
        for job in cancelled:
            job.give_up()
        self.thread.join()

    def checkpoint(self, *_: Any) -> None:
        """To be called in the middle of a job, often; elsewhere it does nothing.

        Raises:
            StoppedError: the job is to end here.
        """
        job = self.running
        if job is not None and job.stop and threading.current_thread() is self.thread:
            raise StoppedError("cancelled")

    def progress(self, done: int, whole: int) -> None:
        """How far the job at hand is; a checkpoint as well."""
        self.checkpoint()
        if self.running is not None:
            self.running.share = done / whole

    def reported(self, owner: str = "") -> dict[str, Any]:
        """For a window: what runs, since how many seconds, what share of it is done (None: unknown), how many seconds it and
        what this window waits for still take (None: unknown), whether it can cancel something."""
        with self.changed:
            waiting, running = list(self.waiting), self.running
            expected = dict(self.expected)
        own = [job for job in waiting if job.owner == owner and job.urgency < AHEAD]
        if running is None:
            return {"running": None, "waiting": len(own)}
        seconds = time.monotonic() - running.begun
        share, length = running.share, expected.get(running.kind)
        if share:
            length = seconds / share
        elif length:
            share = min(seconds / length, 0.98)
        return {
            "running": running.label,
            "ahead": running.urgency == AHEAD,
            "seconds": round(seconds, 2),
            "share": None if share is None else round(share, 3),
            "left": None if not length else max(0.0, length - seconds) + sum(expected.get(each.kind, 0.0) for each in own),
            "waiting": len(own),
            "own": bool(own) or running.owner == owner,
        }

    def run(self) -> None:
        while True:
            with self.changed:
                while self.open and not self.waiting:
                    self.changed.wait()
                if not self.open:
                    return
                job = heapq.heappop(self.waiting)
                if not job.future.running() and not job.future.set_running_or_notify_cancel():
                    continue
                job.begun, job.share, job.stop, job.later = time.monotonic(), None, False, False
                self.running = job
            try:
                result = job.work()
            except BaseException as error:
                again = self.finish(job, isinstance(error, StoppedError))
                if not again:
                    job.future.set_exception(error)
            else:
                self.finish(job)
                job.future.set_result(result)
            del job

    def finish(self, job: Job, stopped: bool = False) -> bool:
        """Note a job's time, where it went to its end; whether it waits again."""
        with self.changed:
            seconds = time.monotonic() - job.begun
            if not stopped:
                before = self.expected.get(job.kind, seconds)
                self.expected[job.kind] = NEWEST_WEIGHT * seconds + (1 - NEWEST_WEIGHT) * before
            self.running = None
            again = stopped and job.later and self.open
            if again:
                heapq.heappush(self.waiting, job)
        return again
