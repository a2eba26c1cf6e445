"""What the parts of `benchmarks/gpu.py` share: rows that are written as they come, times and peaks of memory on a GPU."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

ENOUGH = 0.8  # of the GPU's memory, that anything measured may need by arithmetic


class Bench:
    """Rows that were measured, written to `out` after every one, and the time that is left."""

    def __init__(self, out: Path, minutes: float) -> None:
        self.out, self.end = out, time.monotonic() + 60 * minutes
        self.rows: list[dict[str, Any]] = []
        out.mkdir(parents=True, exist_ok=True)

    def note(self, part: str, **row: Any) -> None:
        self.rows.append({"part": part, **row})
        print(
            "  ".join(
                f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in self.rows[-1].items()
            )
        )
        sys.stdout.flush()
        (self.out / "gpu.json").write_text(json.dumps(self.rows, indent=1))

    def left(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self.end

    def attempt(self, part: str, what: dict[str, Any], measure: Callable[[], dict[str, Any]], seconds: float = 10) -> None:
        """A row of what `measure` finds, or of why it found nothing."""
        if not self.left(seconds):
            self.note(part, **what, failed="no time left")
            return
        try:
            found = measure()
        except Exception as error:  # one way that fails must not end the run
            found = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"}
            torch.cuda.empty_cache()
        self.note(part, **what, **found)


def milliseconds(call: Callable[[], Any], seconds: float = 0.5) -> float:
    """Median of single runs, after two to warm up."""
    for _ in range(2):
        call()
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    count = max(3, min(50, int(seconds / (time.perf_counter() - start))))
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)]
    for before, after in events:
        before.record()
        call()
        after.record()
    torch.cuda.synchronize()
    return statistics.median(before.elapsed_time(after) for before, after in events)


@contextmanager
def peak() -> Iterator[dict[str, float]]:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    found: dict[str, float] = {}
    yield found
    found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
