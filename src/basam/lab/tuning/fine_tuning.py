"""`tune`: data, a base and a folder -> an adapter. Resumes after an interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from basam.checks import instance_of, path_of
from basam.errors import FileError, InputError, naming_memory
from basam.families import family_of
from basam.families.shared import quiet
from basam.files import check_extra, require
from basam.lab.data import Issues, Source
from basam.lab.tuning.accounting import ParameterGroup, parts_of
from basam.lab.tuning.augment import Augment
from basam.lab.tuning.batches import TuningBatches
from basam.lab.tuning.card import card, provenance
from basam.lab.tuning.plan import Plan
from basam.lab.tuning.recipe import TuneSettings
from basam.lab.tuning.resuming import PHOTOGRAPHS
from basam.lab.tuning.sources import fingerprint, open_portions
from basam.lab.tuning.trainer import Trainer
from basam.lab.tuning.tuned import Tuned
from basam.lab.tuning.validation import Score, Scores, Validator
from basam.lab.tuning.ways import adapter_of, prepare, tuned_mode
from basam.model import detach, device_name, find_device, load, model_fingerprint, own_section, read_adapter, write_adapter
from basam.predict import Focus, Predictor

ADAPTER, SCORES = "adapter", "validation.json"
WARMUP = 20  # steps of a constant schedule: few, so that short runs get to their rate


@dataclass(frozen=True)
class TuneOutcome:
    """The outcome of a run: the adapter's folder, the scores of its steps, and problems of the data."""

    adapter: Path
    scores: Scores
    issues: Issues
    is_main: bool


class Tuning:
    """One run: everything is opened and checked here, before the first step.

    Args:
        settings: what is tuned, on what and how.
        out: the run's folder; the adapter goes into `adapter` below it. A run of the same settings in it resumes.
        command: the command line, for the model card.
        device: see `basam.model.find_device`; on CUDA, `accelerate` gives every process its own.
        workers: processes that prepare batches.
        trackers: names that `accelerate` knows.
        report: called with a sentence after every validation, in the main process.

    Raises:
        DatasetError, OverlapError, FileNotFoundError, UnsupportedModelError, ValueError: these settings are not
            possible.
        TrainingError: the folder holds a run of other settings.
        MissingExtraError: the extra `tune` is not installed.
    """

    def __init__(
        self,
        settings: TuneSettings,
        out: str | Path,
        *,
        command: Sequence[str] = (),
        device: str = "auto",
        workers: int = 0,
        trackers: tuple[str, ...] = ("tensorboard",),
        report: Callable[[str], None] = print,
    ) -> None:
        instance_of(settings, "settings", TuneSettings)
        self.settings, self.out, self.command, self.report = settings, path_of(out, "out"), command, report
        check_folder(self.out, "out")
        find_device(device)  # before anything is opened
        check_extra("tune")
        check_trackers(trackers)
        data, validation = (
            [Source.parse(text, settings.max_pixels) for text in texts] for texts in (settings.data, settings.validation)
        )
        self.portions = open_portions(data, validation, settings.mask_values)
        model = load(settings.model)
        self.base_sha256 = model_fingerprint(model)
        torch.manual_seed(settings.seed)  # LoRA begins with random numbers
        prepare(model, settings.way, tuned_mode(settings.mode), slope=settings.slope, lora=settings.lora)
        if settings.checkpointing:
            keep_little(model)
        self.geometry = family_of(model).geometry(model)
        self.focus = Focus.from_dict(own_section(model, "focus"))  # of predicting
        self.sizes = settings.sizes_for(self.geometry.image_size, self.focus.side)
        self.batches = self.make_batches(model)
        self.trainer = Trainer(
            Tuned(model, settings.loss, settings.slope_rate / settings.highest_rate),
            self.batches,
            self.plan(),
            self.out,
            settings=settings.to_dict()
            | {"base_sha256": self.base_sha256, PHOTOGRAPHS: fingerprint(self.portions)}
            | {"focus": self.focus.to_dict() if settings.focus else None},
            device=device,
            workers=workers,
            trackers=trackers,
            save_every=settings.validate_every,
            log_every=min(20, settings.validate_every),
            after=self.validate,
        )
        self.check_shares()
        self.predictor = Predictor(model, max_side=settings.max_side)
        self.validator = self.make_validator()
        self.scores = Scores.read(self.out / SCORES)
        self.since = time.perf_counter()

    def make_batches(self, model: nn.Module) -> TuningBatches:
        settings = self.settings
        return TuningBatches(
            self.portions,
            family_of(model),
            self.geometry,
            batch_size=settings.batch_size,
            sizes=self.sizes,
            seed=settings.seed,
            mix=settings.prompts,
            sampling=settings.sampling,
            augment=Augment() if settings.augment else Augment.none(),
            focus=self.focus if settings.focus else None,
        )

    def plan(self) -> Plan:
        settings = self.settings
        falls = settings.schedule == "cosine"
        return Plan(
            steps=settings.steps,
            rate=settings.highest_rate,
            # A constant rate does not depend on the number of steps, so neither does its warm-up.
            warmup=min(100, settings.steps // 10) if falls else WARMUP,
            floor=0.01 if falls else 1.0,
            accumulate=settings.accumulate,
            ema=settings.ema,
            precision=settings.precision,
            seed=settings.seed,
        )

    def check_shares(self) -> None:
        """Raise unless a batch can be split into equal parts, so that they have equal weights."""
        settings, processes = self.settings, self.trainer.accelerator.num_processes
        parts = processes * settings.accumulate
        if settings.batch_size % parts:
            raise InputError(
                f"batch_size={settings.batch_size} cannot be shared by {processes} processes in {settings.accumulate} parts "
                f"each: give a multiple of {parts}"
            )

    def make_validator(self) -> Validator:
        settings, sizes, accelerator = self.settings, self.sizes, self.trainer.accelerator
        ends: tuple[int | None, ...] = (None,) if sizes.native else tuple(dict.fromkeys((sizes.low, sizes.high)))
        validator = Validator(
            self.predictor,
            self.portions,
            settings.validate_sizes or ends,
            count=settings.validate_count,
            seed=settings.seed,
            focus=self.focus if settings.focus else None,
            rank=accelerator.process_index,
            processes=accelerator.num_processes,
        )
        if not validator.samples:
            raise InputError("there is no photograph to validate on")
        return validator

    @property
    def parts(self) -> list[ParameterGroup]:
        """What is trained, for a table."""
        return parts_of(self.predictor.model)

    def run(self) -> TuneOutcome:
        """Train, validate and save the best adapter.

        Raises:
            TrainingError: a loss that is not finite, or a checkpoint that cannot be written; the last one stays.
            OSError: the folder cannot be written.
        """
        if not self.scores.has(self.trainer.done):
            self.validate(self.trainer, self.trainer.done)
        if self.trainer.is_main:
            for note in self.validator.notes(self.scores.scores[-1]):
                self.report(note)
        self.since = time.perf_counter()
        with naming_memory(self.sizes.high):
            self.trainer.run()
        # Those of opening, of the steps (also of other processes and of worker processes), and of validation.
        unique = dict.fromkeys([*self.batches.issues, *self.trainer.issues, *self.validator.issues])
        issues = Issues(unique)
        return TuneOutcome(self.out / ADAPTER, self.scores, issues, self.trainer.is_main)

    def validate(self, trainer: Trainer, step: int) -> None:
        """Measure the averaged weights after `step` steps, and save them if they are the best so far."""
        before = self.scores.scores[-1].seconds if self.scores.scores else 0.0
        seconds = before + (time.perf_counter() - self.since if step else 0.0)
        with trainer.average.applied():
            score = self.validator.measure(step, seconds, self.reduce)
            self.scores.scores.append(score)
            if trainer.is_main:
                # In this order: a run killed between the two validates this step again, and saves its adapter again.
                self.keep(score)
                self.scores.write()
        trainer.accelerator.wait_for_everyone()
        self.since = time.perf_counter()

    def reduce(self, sums: Tensor) -> Tensor:
        """Sums over all processes."""
        total: Tensor = self.trainer.accelerator.reduce(sums.to(self.trainer.accelerator.device), reduction="sum")
        return total.cpu()

    def keep(self, score: Score) -> None:
        """Write the adapter if `score` is the best, and its model card in any case."""
        folder = self.out / ADAPTER
        is_best = score is self.scores.best
        model = self.predictor.model
        if is_best:
            adapter = adapter_of(model, self.settings.model, self.base_sha256, {"focus": self.focus.to_dict()})
        else:
            adapter = read_adapter(folder)
        device = device_name(self.trainer.accelerator.device)
        about = provenance(self.settings, self.portions, self.scores, str(self.sizes), device)
        write_adapter(folder, adapter, card(adapter, self.settings, about, self.command), about)
        by_data = ", ".join(f"{title} {score.figure(title)}" for title in score.by_data)
        self.report(f"step {score.step}: IoU {score.mean:.4f} ({by_data}){', kept' if is_best else ''}")


def tune(settings: TuneSettings, out: str | Path, **options: Any) -> TuneOutcome:
    """Tune in one call: `Tuning(settings, out, **options).run()`, with the arguments and errors of `Tuning`."""
    return Tuning(settings, out, **options).run()


def keep_little(model: Any) -> None:
    """Activation checkpointing, where the model has it: layers are recomputed in the backward pass instead of stored."""
    for name in ("activation_checkpointing_enable", "gradient_checkpointing_enable"):  # the older name before transformers 5.20
        if hasattr(model, name) and model.supports_gradient_checkpointing:
            getattr(model, name)({"use_reentrant": False})
            return


def check_folder(path: Path, name: str) -> None:
    """Reject a path that cannot become a folder, before any work is done."""
    if path.exists() and not path.is_dir():
        raise FileError(f"{name} {path}: a file is there, a folder is needed")


def check_trackers(names: Sequence[str]) -> None:
    """Reject settings that `accelerate` does not support.

    Raises:
        ValueError: naming it and what is known.
    """
    known = [str(name) for name in require("accelerate.tracking", "tune").LOGGER_TYPE_TO_CLASS]
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"tracker {unknown[0]!r}: known are none, {', '.join(known)}")


def merge(settings: TuneSettings, adapter: Path, out: Path) -> None:
    """Write base and adapter as one checkpoint that plain `transformers` reads, and the slopes as an adapter of it.

    Plain SAM cannot store slopes: they go to `out/adapter`, and `basam.load(out, adapter=out/"adapter")` is the tuned
    model again.

    Raises:
        ValueError: the model is not one of `transformers`, so there is no such checkpoint of it.
        OSError: the folder cannot be written.
    """
    model: Any = load(settings.model, adapter=adapter)
    if not hasattr(model, "save_pretrained"):
        raise InputError(f"{settings.model} is no model of transformers: it cannot be merged; load it with its adapter")
    rest = read_adapter(adapter)
    if rest.slopes is not None:
        detach(model)  # its mode needs the slopes, which are written below
    with quiet():
        model.save_pretrained(out)
    merged = load(out)
    slopes = type(rest)(str(out), model_fingerprint(merged), rest.mode, rest.slopes, sections=rest.sections)
    text = f"# Slopes of the checkpoint beside this folder\n\nSee the model card of the adapter that was merged: `{adapter}`.\n"
    write_adapter(out / ADAPTER, slopes, text, {"merged": str(adapter)})
