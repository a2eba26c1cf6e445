"""One photo after the other: the next one is read and the last one written while one is worked on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from basam.batch import PhotoTask
from basam.batch.job import Answered, Outcome, PhotoJob
from basam.batch.room import Room
from basam.batch.stopwatch import Stopwatch
from basam.errors import BasamError, FullDiskError, collected_warnings, reason_of
from basam.files import Photograph

# Photos that are read ahead, and those that wait to be written. Each is held in memory with its masks.
AHEAD, BEHIND = 2, 2
EXPECTED = (BasamError, OSError, MemoryError, RuntimeError)


class Step(NamedTuple):
    """A photo that is being worked on: what is already known of it, or the reading of it."""

    task: PhotoTask
    outcome: Outcome | None
    reading: Future[tuple[Photograph, tuple[str, ...]]] | None


def run(
    job: PhotoJob,
    tasks: Iterable[PhotoTask],
    *,
    inputs: Collection[str] = (),
    raising: bool = False,
    watch: Stopwatch | None = None,
) -> Iterator[Outcome]:
    """What became of each photo, in the order of `tasks`.

    A photo that cannot be done is an outcome with an error, and the others are done. When the work is stopped, what was
    answered before is written and returned first. A full disk stops it.

    Args:
        inputs: resolved paths of photos, which results never take the place of.
        raising: errors are raised instead of returned.
        watch: measures the stages `reading`, `answering`, `writing`, and what the work waits for.
    """
    line = Line(job, inputs, raising, watch or Stopwatch())
    with line.reader, line.writer:
        try:
            for task in tasks:
                line.begin(task)
                if len(line.begun) > AHEAD:
                    line.work()
                yield from line.written(BEHIND)
            while line.begun:
                line.work()
                yield from line.written(BEHIND)
        except KeyboardInterrupt:
            line.reader.shutdown(wait=False, cancel_futures=True)
            yield from line.written(0)
            raise
        finally:
            line.room.open()
        yield from line.written(0)


class Line:
    """The stages: `begin` has a photo read, `work` answers its prompts and has results written, `written` returns outcomes."""

    def __init__(self, job: PhotoJob, inputs: Collection[str], raising: bool, watch: Stopwatch) -> None:
        self.job, self.inputs, self.raising, self.watch = job, inputs, raising, watch
        self.reader, self.writer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self.begun: deque[Step] = deque()
        self.writing: deque[Future[Outcome]] = deque()
        self.room = Room()

    def begin(self, task: PhotoTask) -> None:
        done = self.attempt(task, lambda: self.job.finished(task))
        self.begun.append(Step(task, done, None if done else self.reader.submit(self.read, task)))

    def read(self, task: PhotoTask) -> tuple[Photograph, tuple[str, ...]]:
        self.room.wait()
        with self.watch.timing("reading"), collected_warnings() as notes:
            read = self.job.read(task)
        self.room.take(read.nbytes)
        return read, (*notes, *map(str, read.notes))

    def work(self) -> None:
        step = self.begun.popleft()
        outcome = step.outcome or self.attempt(step.task, lambda: self.answer(step))
        if outcome is not None:
            known: Future[Outcome] = Future()
            known.set_result(outcome)
            self.writing.append(known)

    def answer(self, step: Step) -> None:
        task = step.task
        assert step.reading is not None
        with self.watch.timing("waiting for reading"):
            read, notes = step.reading.result()
        try:
            with self.watch.timing("answering"), collected_warnings() as more:
                start = time.perf_counter()
                self.job.check(task, *read.size, self.inputs)
                answered = self.job.find(task, read)
                answered.seconds = time.perf_counter() - start
        except BaseException:
            self.room.leave(read.nbytes)
            raise
        all_notes = tuple(dict.fromkeys((*notes, *more)))
        self.writing.append(self.writer.submit(self.write, task, read, answered, all_notes))

    def write(self, task: PhotoTask, read: Photograph, answered: Answered, notes: tuple[str, ...]) -> Outcome:
        try:
            with self.watch.timing("writing"):
                outcome = self.attempt(task, lambda: self.job.write(task, read, answered, self.inputs))
        finally:
            self.room.leave(read.nbytes)
        assert outcome is not None
        return replace(outcome, notes=(*notes, *outcome.notes))

    def attempt(self, task: PhotoTask, act: Callable[[], Outcome | None]) -> Outcome | None:
        """What `act` returns, or an outcome that says why it failed."""
        try:
            return act()
        except FullDiskError:
            raise
        except EXPECTED as error:
            reason = None if self.raising else reason_of(error)
            if reason is None:
                raise
            self.job.folder.failed(task.place, reason)
            return Outcome(task.photo, error=reason)

    def written(self, waiting: int) -> Iterator[Outcome]:
        """Outcomes of the photos that were worked on, until only so many wait to be written."""
        while self.writing and (len(self.writing) > waiting or self.writing[0].done()):
            with self.watch.timing("waiting for writing"):
                outcome = self.writing.popleft().result()
            yield outcome
