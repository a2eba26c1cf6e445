"""Measures the time that a device computes, without waiting for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class DeviceClock:
    """Adds up the time of blocks. On CUDA it records events in the device's queue, and synchronises only when read."""

    def __init__(self) -> None:
        self.done = 0.0
        self.marks: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def running(self, device: torch.device) -> Iterator[None]:
        if device.type != "cuda":
            start = time.perf_counter()
            yield
            self.done += time.perf_counter() - start
            return
        with torch.cuda.device(device):
            before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            before.record()
            yield
            after.record()
        self.marks.append((before, after))

    @property
    def seconds(self) -> float:
        while self.marks:
            before, after = self.marks.pop()
            after.synchronize()
            self.done += before.elapsed_time(after) / 1000
        return self.done
