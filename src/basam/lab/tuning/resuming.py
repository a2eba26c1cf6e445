"""Checkpoints of a training run: one file, written atomically, from which it resumes with identical results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from basam.errors import BasamError, InputError
from basam.files import replacing
from basam.lab.evaluation import changes_of
from basam.lab.tuning.plan import Plan

CHECKPOINT = "checkpoint.pt"
# Length to which torch's message about a damaged file is cut; it may go on about pickles for a page.
LONGEST_REASON = 100


class TrainingError(BasamError, RuntimeError):
    """Training cannot continue; the message has the reason and the last good checkpoint."""


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write `state`, whose `step` counts the steps done, in place of the last checkpoint of `folder`.

    Raises:
        TrainingError: it cannot be written (a full disk, for example); the last one stays.
    """
    path = folder / CHECKPOINT
    try:
        with replacing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where the disk is full
        remains = f"the last good one is in {path}" if path.is_file() else "there is none yet"
        raise TrainingError(
            f"the checkpoint of step {state['step']} cannot be written to {folder} ({str(error).splitlines()[0]}): "
            f"{remains}; free some space and start again: the run resumes from there"
        ) from error


def load_checkpoint(folder: Path, settings: dict[str, Any], plan: Plan) -> dict[str, Any] | None:
    """The checkpoint of `folder`, or None where there is none.

    Raises:
        TrainingError: it cannot be read, was made with other settings, which are named, or cannot be extended to the steps
            of `plan`.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        before, _ = state["settings"], [state[name] for name in ("step", "weights", "average", "optimizer")]
    except Exception as error:  # unpickling a damaged file raises many types
        why = (str(error) or type(error).__name__).splitlines()[0][:LONGEST_REASON]
        raise TrainingError(f"{path} is no readable checkpoint ({why}): remove it, or train into another folder") from error
    # Places of photographs and model may change; their contents may not. Older checkpoints have only the places.
    known = PHOTOGRAPHS in before and PHOTOGRAPHS in settings
    free = (*OF_LENGTH, *(PLACES if known else (PHOTOGRAPHS,)))
    try:
        other = [f"{key} was {was!r}, now {now!r}" for key, was, now in changes_of(before, settings) if key not in free]
    except InputError as error:
        other = [str(error)]
    if other:
        raise TrainingError(f"{path} is of a run with other settings ({'; '.join(other)}): train into another folder")
    check_length(path, plan, before, state["step"])
    return state


PLACES, PHOTOGRAPHS = ("data", "validation", "model"), "photographs"
# Settings of the length of training. An increase is allowed if it does not change finished steps.
OF_LENGTH = ("steps", "warmup")


def check_length(path: Path, plan: Plan, before: dict[str, Any], done: int) -> None:
    """Reject a number of steps that would have changed the `done` steps of the run with the settings `before`."""
    first = replace(plan, **{name: before[name] for name in OF_LENGTH if name in before})
    if plan.steps < done:
        raise TrainingError(
            f"{path} has {done} steps, more than the {plan.steps} of this run: give at least {done}, or another folder"
        )
    if any(plan.rate_at(step) != first.rate_at(step) for step in range(done)):
        if plan.floor == 1:  # constant after its warm-up
            raise TrainingError(
                f"{path}: the learning rate of its {done} steps rose over {first.warmup} of them, and would over {plan.warmup} "
                f"now: give warmup {first.warmup}, or train into another folder"
            )
        raise TrainingError(
            f"{path} was to have {first.steps} steps, over which its learning rate falls: the {done} steps done are none of a "
            f"run of {plan.steps}. Train into another folder (with --schedule constant it can be extended later), or tune on "
            "from what was reached: --merge FOLDER with the old steps, then --model FOLDER"
        )
