"""Several processes in one run, started by `accelerate launch` or `torchrun`: ranks and barriers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from basam.errors import InputError
from basam.files import require
from basam.model import find_device

Item = TypeVar("Item")

# Environment variables with the number of processes, set by torchrun and the usual MPIs.
COUNTS = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
LOCAL_COUNTS = ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE")


@dataclass(frozen=True)
class Processes:
    """This process among those of the run; `local_count` of them share its machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    state: Any = None

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process has reached this point."""
        if self.state is not None:
            self.state.wait_for_everyone()

    def shard(self, items: Sequence[Item]) -> list[Item]:
        """This process's part of `items`: every `count`-th."""
        return list(items[self.rank :: self.count])

    def device(self, name: str) -> str:
        """The device of this process: `cuda` becomes its own one.

        Raises:
            InputError: several processes on one numbered device, or more on this machine than it has GPUs.
        """
        if self.count == 1 or not name.startswith("cuda"):
            return name
        if name != "cuda":
            raise InputError(f"device {name!r} with {self.count} processes: give 'cuda', and every process takes its own GPU")
        return str(find_device(f"cuda:{self.local_rank}"))

    def workers(self) -> int:
        """A default number of worker processes: one core for the model, the others for metrics."""
        return max(1, (os.cpu_count() or 1) // self.local_count - 1)

    def end(self) -> None:
        if self.state is not None:
            self.state.destroy_process_group()


def processes(device: str) -> Processes:
    """The settings of a launcher in the environment; without one, a single process.

    Args:
        device: where the model will run, not `auto`.

    Raises:
        ImportError: a launcher is used, and the extra `evaluate` is not installed.
    """
    if from_environment(COUNTS) == 1:
        if os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ:
            warnings.warn(
                "accelerate was to start several processes on the CPU and has started one: it needs MPI for that. "
                "torchrun --standalone --nproc-per-node N -m basam evaluate ... does without",
                stacklevel=2,
            )
        return Processes()
    accelerate = require("accelerate", "evaluate")
    # One shard may take much longer than another, so the others wait without a timeout.
    state = accelerate.PartialState(cpu=device == "cpu", timeout=timedelta(days=30))
    place = state.process_index, state.num_processes, state.local_process_index, from_environment(LOCAL_COUNTS)
    return Processes(*place, state)


def from_environment(names: Sequence[str]) -> int:
    """The first of these that is set; 1 where none is."""
    return next((int(os.environ[name]) for name in names if name in os.environ), 1)
