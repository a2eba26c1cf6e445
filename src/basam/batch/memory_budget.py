"""A memory budget for photographs between reading and writing."""

from __future__ import annotations

import sys
import threading

# Bytes of photographs in memory above which no further one is read; one is read in any case.
MOST_HELD = 1 << 29


class MemoryBudget:
    """Delays reading a photo until earlier ones leave enough memory. They are processed in the order in which they were read,
    so memory is always released."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.most, self.held = most, 0
        self.changed = threading.Condition()

    def wait(self) -> None:
        """Wait until less than `most` bytes are held."""
        with self.changed:
            self.changed.wait_for(lambda: self.held < self.most)

    def lift(self) -> None:
        """Admit all waiting requests; no further memory will be released."""
        with self.changed:
            self.most = sys.maxsize
            self.changed.notify_all()

    def acquire(self, size: int) -> None:
        with self.changed:
            self.held += size

    def release(self, size: int) -> None:
        with self.changed:
            self.held -= size
            self.changed.notify_all()
