"""Metrics in worker processes beside the model, with a bounded queue, because masks are large."""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from types import MappingProxyType

from basam.errors import InputError, WorkerError
from basam.files import check_extra, require
from basam.lab import end_with_parent
from basam.lab.evaluation.jobs import Measured, MetricJob, do
from basam.lab.metrics import COLUMNS, METRICS, Metric, registered_metrics

Done = Callable[[Measured], None]


class MetricPool:
    """Runs jobs and hands their results to callbacks, in this process and in the order of submission.

    Args:
        workers: number of processes; 0: measure in this one.

    Raises:
        MissingExtraError: there are workers, and the extra `evaluate` is not installed.

    Attributes:
        waited: seconds that `submit` and `finish` have waited for workers.
        worked: seconds that the jobs themselves took.
    """

    def __init__(self, workers: int) -> None:
        if workers < 0:
            raise InputError(f"workers={workers}: 0 or more processes")
        self.capacity = 2 * workers + 1
        self.queue: deque[tuple[Future[Measured], Done]] = deque()
        self.waited = 0.0
        self.worked = 0.0
        if workers:
            check_extra("evaluate")  # otherwise workers would die without a message
            check_can_be_sent(registered_metrics())
        # Fork would copy a process with torch's threads.
        context = multiprocessing.get_context("spawn")
        self.executor = (
            ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker, initargs=(registered_metrics(),))
            if workers
            else None
        )

    def submit(self, job: MetricJob, done: Done) -> None:
        """Measure `job` and call `done` with the result, now or in a later call; waits while the queue is full."""
        if self.executor is None:
            start = time.perf_counter()
            self.hand_over(do(job), done)
            self.waited += time.perf_counter() - start
            return
        try:
            future = self.executor.submit(do, job)
        except BrokenExecutor as error:
            raise worker_lost() from error
        self.queue.append((future, done))
        while self.queue and (len(self.queue) >= self.capacity or self.queue[0][0].done()):
            self.take_oldest()

    def finish(self) -> None:
        """Wait for all jobs."""
        while self.queue:
            self.take_oldest()

    def take_oldest(self) -> None:
        future, done = self.queue.popleft()
        start = time.perf_counter()
        try:
            measured = future.result()
        except BrokenExecutor as error:
            raise worker_lost() from error
        self.waited += time.perf_counter() - start
        self.hand_over(measured, done)

    def hand_over(self, measured: Measured, done: Done) -> None:
        self.worked += measured.seconds
        done(measured)

    def close(self) -> None:
        """Stop the workers; jobs that have not begun are dropped."""
        if self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)


def worker_lost() -> WorkerError:
    return WorkerError(
        "a worker process for metrics was ended, perhaps for lack of memory: run again with fewer --workers; "
        "finished measurements stay"
    )


def check_can_be_sent(metrics: dict[str, Metric]) -> None:
    for name, metric in metrics.items():
        try:
            pickle.dumps(metric)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"metric {name!r} cannot be sent to worker processes ({error}): define it in a module, or give workers=0"
            ) from error


def start_worker(metrics: Mapping[str, Metric] = MappingProxyType({})) -> None:
    """One thread per worker; workers end with a killed main process. `metrics`: those registered in the main process."""
    for name, metric in metrics.items():
        METRICS[name] = metric
        COLUMNS.update(metric.columns)
    require("cv2", "evaluate").setNumThreads(1)
    end_with_parent()
