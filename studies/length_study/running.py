"""Runs the stages in worker processes and appends what they find; resumes where it was stopped."""

from __future__ import annotations

import multiprocessing
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from basam.families import family_of
from basam.files import read_json
from basam.lab.evaluation import Line, RunFolder, versions
from basam.model import load, model_fingerprint
from studies.length_study import pictures
from studies.length_study.measuring import do, start_worker
from studies.length_study.plan import Amounts, Stage, costs, expected_seconds, stages


class Run:
    """A run folder with its results so far. `data` is the folder of photographs, or None.

    Raises:
        RunMismatchError: the folder holds results of another model or of other settings.
    """

    def __init__(self, out: Path, model: str, data: Path | None, amounts: Amounts) -> None:
        self.folder, self.model, self.data, self.amounts = RunFolder(out), model, data, amounts
        self.results = self.folder.read()

    def begin(self, workers: int) -> None:
        """Write down what the results belong to."""
        same = {name: getattr(pictures, name) for name in ("FIRST_SEED", "INSTANCES", "LARGEST", "SMALLEST_AREA")}
        session = {
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "workers": workers,
            "machine": f"{platform.machine()}, {processor()}",
            "versions": versions(),
        }
        model = load(self.model)
        described = family_of(model).describe(model).to_dict()
        if described["trained long side"] != pictures.TRAINED:
            raise ValueError(
                f"model {self.model!r} was trained at {described['trained long side']} px: {pictures.TRAINED} is needed"
            )
        found = {**described, "sha256": model_fingerprint(model)}
        self.folder.begin({"settings": same, "model": found, "data": {}}, session)
        self.results = self.folder.collect()

    def description(self) -> dict[str, Any]:
        """What `begin` wrote down, sessions included."""
        return read_json(self.folder.run_file)

    def global_layers(self) -> list[int]:
        layers: list[int] = self.description()["model"]["global layers"]
        return layers

    def measure(self, workers: int, minutes: float | None = None) -> None:
        """All stages, or as many tasks as begin within `minutes`."""
        self.begin(workers)
        ends = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker, initargs=(self.model, self.data))
        with pool:
            for stage in stages(self.results, self.amounts, self.data):
                if not self.run_stage(stage, pool, workers, ends):
                    print("time is over: the same command resumes", flush=True)
                    return

    def run_stage(self, stage: Stage, pool: ProcessPoolExecutor, workers: int, ends: float) -> bool:
        """Whether all of its tasks were done before `ends`."""
        tasks = list(stage.tasks(self.results))
        start, waiting, done = time.monotonic(), iter(tasks), 0
        under_way: set[Future[list[Line]]] = set()
        while True:
            while len(under_way) < 2 * workers and time.monotonic() < ends and (task := next(waiting, None)) is not None:
                under_way.add(pool.submit(do, task))
            if not under_way:
                break
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                lines = future.result()
                for line in lines:
                    self.folder.append(line)
                self.results.add(lines)
                done += 1
            progress(stage.name, done, len(tasks), start)
        return done == len(tasks)

    def print_plan(self, workers: int) -> None:
        """A line a stage: tasks that are missing and the minutes they are expected to take."""
        cost, total = costs(self.results), 0.0
        for stage in stages(self.results, self.amounts, self.data):
            tasks = list(stage.tasks(self.results))
            minutes = expected_seconds(tasks, cost) / workers / 60
            total += minutes
            print(f"{stage.name:32} {len(tasks):6} pictures {minutes:7.1f} min")
        print(f"{'in all, with ' + str(workers) + ' processes':32} {'':15} {total:7.1f} min")


def progress(name: str, done: int, total: int, start: float, clock: Callable[[], float] = time.monotonic) -> None:
    if done % 20 == 0 or done == total:
        print(f"{name}: {done}/{total} in {(clock() - start) / 60:.1f} min", flush=True)


def processor() -> str:
    """Name of the processor where Linux says it, else what Python knows."""
    try:
        lines: Iterator[str] = iter(Path("/proc/cpuinfo").read_text().splitlines())
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor")
