"""What worker processes begin with, so that none outlives a main process that was killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing import connection


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however that ended; nothing in a main process.

    A pool's workers wait for work on a pipe whose other end all of them hold open, so they never notice that nobody sends any.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
