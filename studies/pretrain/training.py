"""A pretraining run: sources, model, loop, and the model's folder beside every checkpoint."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Literal

from basam.errors import InputError
from basam.lab.tuning import LossWeights, Plan, Trainer
from basam.method import BiasMode
from basam.model import attach, detach
from studies.pretrain.model import SIZE, model_to_train, write_model
from studies.pretrain.prompted_loss import PromptedLoss
from studies.pretrain.schedule import StableThenDecay
from studies.pretrain.sources import Source, photo_source, scene_source
from studies.pretrain.view_batches import PromptedViews

WEIGHTS = LossWeights(focal=5.0, bce=1.0, dice=1.0, iou=0.1)


def photo_sources(data: Path) -> list[Source]:
    """The photographs that may go into published weights, and their shares of a batch."""
    return [
        photo_source("coco", data / "COCO", "train2017", 0.35),
        photo_source("duts", data / "standin-DUTS", "DUTS-TR", 0.20, starts=("person_", "leaf_")),
    ]


def pretrain(
    out: Path,
    *,
    data: Path | None,
    start: str | None,
    steps: int,
    decay: int,
    batch: int,
    prompts: int,
    distinct: int | None,
    rate: float,
    warmup: int,
    scenes: int,
    cache: Path,
    precision: Literal["no", "bf16", "fp16"],
    device: str,
    workers: int,
    save_every: int,
    seed: int,
) -> None:
    """Train into `out` until `steps` are done; see `studies.pretrain.__main__` for the arguments.

    Everything is looked at before the scenes are rendered, which takes longest.

    Raises:
        DatasetError, OSError: data that is not there, or a folder that cannot be written.
        ValueError: an argument out of its range.
        TrainingError: see `Trainer.run`.
    """
    for folder in (out, cache):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: a folder is needed")
    plan = Plan(steps=steps, rate=rate, warmup=warmup, floor=1.0, precision=precision, seed=seed)
    photographs = [] if data is None else photo_sources(data)
    model = model_to_train(start, seed, device)
    # Attached, since batches are not all square; at the trained size plain SAM and basam are the same.
    module = PromptedLoss(attach(model, BiasMode.off()).train(), WEIGHTS)
    views = PromptedViews(batch, prompts, seed, distinct)
    pictures = {"scenes": scenes} | {source.name: len(source.images) for source in photographs}
    settings = {"batch": batch, "prompts": prompts, "start": start, "pictures": pictures, "distinct": distinct}

    def write(trainer: Trainer, done: int) -> None:
        if trainer.is_main:
            with trainer.average.applied():
                write_model(detach(copy.deepcopy(model)).eval(), out / "nano")

    trainer = StableThenDecay(
        module,
        views,
        plan,
        out,
        decay=decay,
        settings=settings,
        device=device,
        workers=workers,
        save_every=save_every,
        after=write,
    )
    processes = trainer.accelerator.num_processes
    if batch % processes:
        raise InputError(f"--batch {batch} on {processes} processes: they take equal parts, so give a multiple of {processes}")
    if trainer.done < steps:
        views.sources = [scene_source(cache, scenes, SIZE, 0.45, max(1, workers)), *photographs]
        trainer.run()
    else:
        write(trainer, trainer.done)  # what was killed after its last checkpoint may have left the model of another step
    if trainer.is_main:
        print(f"{steps} steps are done; the model is in {out / 'nano'}", file=sys.stderr)
