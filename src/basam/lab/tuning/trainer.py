"""The training loop: step numbers in, a trained module out, over `accelerate` on any number of processes and devices.

A batch is a pure function of the step and of which part of it a process has. A run that was killed therefore resumes on
the same curve from nothing but its last checkpoint, and two processes with half a batch each do what one does with a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from basam.errors import InputError
from basam.files import require
from basam.lab.data import Issue, Issues
from basam.lab.tuning.accelerating import new_accelerator
from basam.lab.tuning.plan import Plan
from basam.lab.tuning.resuming import CHECKPOINT, TrainingError, load_checkpoint, save_checkpoint
from basam.printing import Bars


class Batches(Protocol):
    """The source of batches. Instances are sent to worker processes."""

    def make(self, step: int, part: int, parts: int) -> Any:
        """Part `part` of `parts` equal parts of the batch of a step: tensors in dicts, lists and tuples.

        A dict may hold `issues`, a list of what was wrong with the data: they go to `Trainer.issues`, not into the module.
        """

    def describe(self, step: int) -> str:
        """A description of the batch of a step, for an error message."""


class Steps(Dataset):
    """Parts of batches by number, for a loader's worker processes."""

    def __init__(self, batches: Batches, part: int, parts: int, accumulate: int) -> None:
        self.batches, self.part, self.parts, self.accumulate = batches, part, parts, accumulate

    def __getitem__(self, index: int) -> Any:
        step, micro = divmod(index, self.accumulate)
        return self.batches.make(step, self.part * self.accumulate + micro, self.parts * self.accumulate)


class Trainer:
    """Trains a module whose `forward(batch)` returns a dict of means over the batch, `loss` among them.

    Args:
        module: parameters with `requires_grad` are trained.
        batches: where batches come from.
        plan: how long and how fast.
        folder: of the checkpoint and of TensorBoard's files; a run in it resumes, with more steps where its rates allow it.
        settings: everything else that decides the result; a checkpoint of other settings raises.
        device: see `basam.model.find_device`; on `cuda`, `accelerate` gives every process its own.
        workers: processes that make batches; 0: none beside this one.
        trackers: names that `accelerate` knows.
        save_every, log_every: in steps.
        after: called with the trainer and the number of steps done after every checkpoint, on every process.
    """

    def __init__(
        self,
        module: nn.Module,
        batches: Batches,
        plan: Plan,
        folder: Path,
        *,
        settings: dict[str, Any] | None = None,
        device: str = "auto",
        workers: int = 0,
        trackers: tuple[str, ...] = ("tensorboard",),
        save_every: int = 500,
        log_every: int = 20,
        after: Callable[[Trainer, int], None] | None = None,
    ) -> None:
        self.accelerator = new_accelerator(device, plan.precision, trackers, folder)
        self.send = require("accelerate", "tune").utils.send_to_device
        self.plan, self.folder, self.batches, self.workers = plan, folder, batches, workers
        self.save_every, self.log_every, self.after = save_every, log_every, after
        self.settings = {**(settings or {}), **asdict(plan)}
        self.trackers = trackers
        self.module = module.to(self.accelerator.device)
        self.average = WeightAverage(self.module, plan.ema)
        if not self.average.parameters:
            raise InputError("nothing to train: no parameter of the module requires a gradient")
        self.optimizer = torch.optim.AdamW(self.groups(), lr=plan.rate, betas=(0.9, 0.98))
        self.wrapped, self.optimizer = self.accelerator.prepare(self.module, self.optimizer)
        self.done = 0
        self.data_issues: dict[Issue, None] = {}
        self.resume()

    def groups(self) -> list[dict[str, Any]]:
        """Parameters by weight decay and by the multiple of the learning rate that they get.

        A module may decide with `decays(name, parameter)` and `rate_of(name)`; otherwise tables are decayed and all have
        the same rate.
        """
        decays = getattr(self.module, "decays", lambda name, parameter: parameter.ndim >= 2)
        rate_of = getattr(self.module, "rate_of", lambda name: 1.0)
        groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
        for name, parameter in self.average.parameters.items():
            groups.setdefault((decays(name, parameter), rate_of(name)), []).append(parameter)
        return [
            {"params": parameters, "weight_decay": self.plan.weight_decay if decayed else 0.0, "multiple": multiple}
            for (decayed, multiple), parameters in sorted(groups.items(), key=lambda group: (not group[0][0], group[0][1]))
        ]

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    def resume(self) -> None:
        state = load_checkpoint(self.folder, self.settings, self.plan)
        if state is not None:
            with torch.no_grad():
                for name, parameter in self.average.parameters.items():
                    parameter.copy_(state["weights"][name])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.done = state["step"]
            self.data_issues = dict.fromkeys(Issue(**issue) for issue in state.get("issues", ()))
            if self.accelerator.scaler is not None and state.get("scaler") is not None:
                self.accelerator.scaler.load_state_dict(state["scaler"])

    @property
    def issues(self) -> Issues:
        """Problems of the data in all steps, without duplicates; in the main process those of all processes, after `run`."""
        return Issues(self.data_issues)

    def gather_issues(self) -> None:
        if self.accelerator.num_processes > 1:
            self.data_issues = dict.fromkeys(require("accelerate", "tune").utils.gather_object(list(self.data_issues)))

    def save(self) -> None:
        """Write the checkpoint (main process) and wait for it (all)."""
        self.gather_issues()
        if self.is_main:
            scaler = self.accelerator.scaler  # of float16
            state = {
                "step": self.done,
                "settings": self.settings,
                "weights": {name: p.detach() for name, p in self.average.parameters.items()},
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "issues": self.issues.to_list(),
            }
            save_checkpoint(self.folder, state)
        self.accelerator.wait_for_everyone()

    def run(self) -> None:
        """Train until `plan.steps` are done.

        Raises:
            TrainingError: a loss that is no finite number (its batch is named), or a checkpoint that cannot be written.
        """
        plan, accelerator = self.plan, self.accelerator
        steps = Steps(self.batches, accelerator.process_index, accelerator.num_processes, plan.accumulate)
        order = range(self.done * plan.accumulate, plan.steps * plan.accumulate)
        loader = DataLoader(
            steps,
            batch_size=None,
            sampler=order,
            num_workers=self.workers,
            prefetch_factor=4 if self.workers else None,
            pin_memory=accelerator.device.type == "cuda",
        )
        if self.trackers:
            accelerator.init_trackers("logs")
        try:
            self.train(iter(loader))
        finally:
            if self.trackers:
                accelerator.end_training()

    def train(self, parts: Iterator[Any]) -> None:
        plan = self.plan
        self.wrapped.train()
        smooth: dict[str, float] = {}
        with Bars("steps", visible=self.is_main, before=self.done) as bars:
            while self.done < plan.steps:
                means = self.step(parts)
                self.done += 1
                for name, value in means.items():  # over about 50 steps
                    smooth[name] = smooth.get(name, value) + 0.02 * (value - smooth.get(name, value))
                note = "".join(f"  {name} {value:.3f}" for name, value in smooth.items() if name != "rate")
                bars.show("training", self.done, plan.steps, note)
                if self.trackers and self.done % self.log_every == 0:
                    self.accelerator.log({f"train/{name}": value for name, value in means.items()}, step=self.done)
                if self.done % self.save_every == 0 or self.done == plan.steps:
                    self.save()
                    if self.after is not None:
                        self.after(self, self.done)
                        self.wrapped.train()

    def step(self, parts: Iterator[Any]) -> dict[str, float]:
        """One optimiser step; the means of what the module returned over all parts and processes, and the rate."""
        plan, accelerator = self.plan, self.accelerator
        rate = plan.rate_at(self.done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("multiple", 1.0)
        sums: dict[str, Tensor] = {}
        for remaining in reversed(range(plan.accumulate)):
            batch = next(parts)
            if isinstance(batch, dict):
                self.data_issues |= dict.fromkeys(batch.pop("issues", ()))
            batch = self.send(batch, accelerator.device)
            # Gradients travel between processes once, with the last part.
            with accelerator.no_sync(self.wrapped) if remaining else nullcontext():
                outputs = self.wrapped(batch)
                accelerator.backward(outputs["loss"] / plan.accumulate)
            for name, value in outputs.items():
                sums[name] = sums.get(name, 0.0) + value.detach().float() / plan.accumulate
        names = sorted(sums)
        reduced = accelerator.reduce(torch.stack([sums[name] for name in names]), reduction="mean")
        means = dict(zip(names, reduced.tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise self.not_finite(means["loss"])
        accelerator.clip_grad_norm_(list(self.average.parameters.values()), plan.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.done)
        return {**means, "rate": rate}

    def not_finite(self, loss: float) -> TrainingError:
        last = self.folder / CHECKPOINT
        return TrainingError(
            f"the loss is {loss} at step {self.done}, in the batch of {self.batches.describe(self.done)}; "
            + (f"the last good checkpoint is in {last}" if last.is_file() else "there is no checkpoint yet")
            + ". Look at these files, or lower the learning rate"
        )


class WeightAverage:
    """Keeps `average = decay * average + (1 - decay) * weight` of every trained parameter, in float32 on its device.

    Args:
        module: whose parameters with `requires_grad` are averaged, from their present values on.
        decay: at least 0 and below 1; early on `(1 + step) / (10 + step)` where that is less, so that a start is forgotten.

    Raises:
        ValueError: `decay` out of its range.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"ema decay={decay}: at least 0 and below 1")
        self.decay = decay
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.averages = {name: p.detach().float().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step`, counted from 0."""
        present = [self.parameters[name].float() for name in self.averages]
        get_ema_multi_avg_fn(min(self.decay, (1 + step) / (10 + step)))(list(self.averages.values()), present, step)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averages in place of the weights for the length of a block."""
        before = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.put(self.averages)
        try:
            yield
        finally:
            self.put(before)

    @torch.no_grad()
    def put(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(values[name])

    def state_dict(self) -> dict[str, Tensor]:
        return self.averages

    def load_state_dict(self, averages: dict[str, Tensor]) -> None:
        for name, average in self.averages.items():
            average.copy_(averages[name])
