"""How much of the photographs between reading and writing may be in memory at once."""

from __future__ import annotations

import sys
import threading

# Bytes of photographs that are held before another one is read; one is read in any case.
MOST_HELD = 1 << 29


class Room:
    """Lets a photo be read when those before it leave enough memory: they are done in the order that they were read in, so
    room comes in any case."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.most, self.held = most, 0
        self.changed = threading.Condition()

    def wait(self) -> None:
        """Until less than `most` bytes are held."""
        with self.changed:
            self.changed.wait_for(lambda: self.held < self.most)

    def open(self) -> None:
        """Let everybody in: nothing is done any more that would make room."""
        with self.changed:
            self.most = sys.maxsize
            self.changed.notify_all()

    def take(self, size: int) -> None:
        with self.changed:
            self.held += size

    def leave(self, size: int) -> None:
        with self.changed:
            self.held -= size
            self.changed.notify_all()
