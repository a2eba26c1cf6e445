"""Run a job on many photos: the next ones are read and the last ones written while one is segmented."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from basam.batch import PhotoTask
from basam.batch.job import Outcome, PhotoJob, PhotoMasks
from basam.batch.memory_budget import MemoryBudget
from basam.batch.stopwatch import Stopwatch
from basam.errors import BasamError, FullDiskError, collected_warnings, reason_of
from basam.files import Photograph

# Photos that are read ahead, and photos that wait to be written. All are in memory, with their masks.
AHEAD, BEHIND = 2, 2
EXPECTED = (BasamError, OSError, MemoryError, RuntimeError)


class Step(NamedTuple):
    """A photo in progress: its outcome if it is known, or the pending read."""

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
    """Outcomes of the photos, in the order of `tasks`.

    A photo that fails is an outcome with an error, and the run goes on. When the run is stopped, finished masks are written and
    their outcomes returned first. A full disk stops it.

    Args:
        inputs: resolved paths of photos, which results never overwrite.
        raising: raise errors instead of returning them.
        watch: measures the stages `reading`, `segmenting`, `writing`, and waiting times.
    """
    pipeline = Pipeline(job, inputs, raising, watch or Stopwatch())
    with pipeline.reader, pipeline.writer:
        try:
            for task in tasks:
                pipeline.begin(task)
                if len(pipeline.begun) > AHEAD:
                    pipeline.process_next()
                yield from pipeline.written(BEHIND)
            while pipeline.begun:
                pipeline.process_next()
                yield from pipeline.written(BEHIND)
        except KeyboardInterrupt:
            pipeline.reader.shutdown(wait=False, cancel_futures=True)
            yield from pipeline.written(0)
            raise
        finally:
            pipeline.memory.lift()
        yield from pipeline.written(0)


class Pipeline:
    """The stages of a run: `begin` starts reading a photo, `process_next` segments one and starts writing, `written` yields
    outcomes."""

    def __init__(self, job: PhotoJob, inputs: Collection[str], raising: bool, watch: Stopwatch) -> None:
        self.job, self.inputs, self.raising, self.watch = job, inputs, raising, watch
        self.reader, self.writer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self.begun: deque[Step] = deque()
        self.writing: deque[Future[Outcome]] = deque()
        self.memory = MemoryBudget()

    def begin(self, task: PhotoTask) -> None:
        done = self.attempt(task, lambda: self.job.finished(task))
        self.begun.append(Step(task, done, None if done else self.reader.submit(self.read, task)))

    def read(self, task: PhotoTask) -> tuple[Photograph, tuple[str, ...]]:
        self.memory.wait()
        with self.watch.timing("reading"), collected_warnings() as notes:
            read = self.job.read(task)
        self.memory.acquire(read.nbytes)
        return read, (*notes, *map(str, read.notes))

    def process_next(self) -> None:
        step = self.begun.popleft()
        outcome = step.outcome or self.attempt(step.task, lambda: self.segment(step))
        if outcome is not None:
            known: Future[Outcome] = Future()
            known.set_result(outcome)
            self.writing.append(known)

    def segment(self, step: Step) -> None:
        task = step.task
        assert step.reading is not None
        with self.watch.timing("waiting for reading"):
            read, notes = step.reading.result()
        try:
            with self.watch.timing("segmenting"), collected_warnings() as more:
                start = time.perf_counter()
                self.job.check(task, *read.size, self.inputs)
                predicted = self.job.find(task, read)
                predicted.seconds = time.perf_counter() - start
        except BaseException:
            self.memory.release(read.nbytes)
            raise
        all_notes = tuple(dict.fromkeys((*notes, *more)))
        self.writing.append(self.writer.submit(self.write, task, read, predicted, all_notes))

    def write(self, task: PhotoTask, read: Photograph, predicted: PhotoMasks, notes: tuple[str, ...]) -> Outcome:
        try:
            with self.watch.timing("writing"):
                outcome = self.attempt(task, lambda: self.job.write(task, read, predicted, self.inputs))
        finally:
            self.memory.release(read.nbytes)
        assert outcome is not None
        return replace(outcome, notes=(*notes, *outcome.notes))

    def attempt(self, task: PhotoTask, act: Callable[[], Outcome | None]) -> Outcome | None:
        """What `act` returns, or an outcome with the reason why it failed."""
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
        """Outcomes of processed photos, until at most `waiting` wait to be written."""
        while self.writing and (len(self.writing) > waiting or self.writing[0].done()):
            with self.watch.timing("waiting for writing"):
                outcome = self.writing.popleft().result()
            yield outcome
