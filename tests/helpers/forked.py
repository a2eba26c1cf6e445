"""Programs in processes of their own that start at once: forked from a process that has imported the heavy libraries.

Importing torch, transformers and accelerate takes seconds of processor time. Here that happens once in each test session, in a
process that does nothing else, so that a fork of it is as good as a fresh interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["basam.cli", "basam.lab.evaluation.evaluating", "basam.lab.tuning.fine_tuning", "tests.helpers.tiny", "accelerate"]
)


class Forked:
    """`python -m MODULE words` in a process of its own, or `python -c words`; what it prints goes to the file `output`."""

    def __init__(self, module: str, words: Sequence[str], output: Path, **environment: str) -> None:
        self.output = output
        self.process = CONTEXT.Process(target=run, args=(module, list(words), str(output), environment))
        self.process.start()

    @property
    def text(self) -> str:
        """All that it has printed."""
        return self.output.read_text() if self.output.exists() else ""

    def wait_until(self, reached: Callable[[], bool], seconds: float = 120) -> None:
        """Wait for something that it is to do while it runs."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert self.process.is_alive(), self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.002)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join()

    def end(self, seconds: float = 180) -> int | None:
        """Its exit status, once it has ended."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.kill()
        return self.process.exitcode


def together(module: str, words: Sequence[str], folder: Path, count: int = 2) -> list[Forked]:
    """The processes of one run, with what `torchrun --standalone` puts into their environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    return [
        Forked(module, words, folder / f"output-{rank}.txt", **common, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank in range(count)
    ]


def run(module: str, words: list[str], output: str, environment: dict[str, str]) -> None:
    import torch

    os.environ.update(environment)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    torch.set_num_threads(1)
    sys.argv = [module, *words[module == "-c" :]]
    if module == "-c":
        exec(words[0], {"__name__": "__main__"})
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
