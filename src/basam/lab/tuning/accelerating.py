"""The `accelerate` of a run: on the device that was given, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from basam.errors import InputError
from basam.files import require
from basam.model import find_device


def new_accelerator(device: str, precision: str, trackers: tuple[str, ...], folder: Path) -> Any:
    """`accelerate.Accelerator`, checked to be on `device`; arguments as of `Trainer`.

    Raises:
        InputError: the device is unknown, not there, or not the one that `accelerate` uses.
        MissingExtraError: the extra `tune` is not installed.
    """
    accelerate = require("accelerate", "tune")
    if trackers == ("tensorboard",):
        require("tensorboard", "tune")
    wanted = find_device(device)
    if wanted.index is not None and wanted.type == "cuda":
        torch.cuda.set_device(wanted)  # the present one is what `accelerate` takes for a single process
    # Which parameters a step uses depends on its prompts.
    unused = accelerate.DistributedDataParallelKwargs(find_unused_parameters=True)
    made = accelerate.Accelerator(
        cpu=wanted.type == "cpu",
        mixed_precision=precision,
        log_with=list(trackers) or None,
        project_dir=str(folder),
        kwargs_handlers=[unused],
    )
    check_device(wanted, made.device)
    return made


def check_device(wanted: torch.device, used: torch.device) -> None:
    """Reject to train on another device than the one given.

    Raises:
        InputError: `accelerate` has another device, by its configuration or because it is in use already.
    """
    index = torch.cuda.current_device() if used.type == "cuda" and used.index is None else used.index
    if wanted.type != used.type or wanted.index not in (None, index):
        raise InputError(
            f"device {str(wanted)!r} is not what accelerate uses here, which is {str(used)!r}: its launcher, its environment "
            f"(ACCELERATE_...) or an earlier run of this process decides; give {used.type!r} or start another process"
        )
