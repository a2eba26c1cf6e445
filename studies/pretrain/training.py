"""A pretraining run: sources, model, loop, and the model's folder beside every checkpoint."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

from basam.method import BiasMode
from basam.model import attach, detach, find_device, load
from basam.tuning import LossWeights, Plan, Trainer
from studies.pretrain.model import SIZE, new_model, write_model
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
    precision: str,
    device: str,
    workers: int,
    save_every: int,
    seed: int,
) -> None:
    """Train into `out` until `steps` are done; see `studies.pretrain.__main__` for the arguments.

    Raises:
        DatasetError, OSError: data that is not there, or a folder that cannot be written.
        ValueError: an argument out of its range.
        TrainingError: see `Trainer.run`.
    """
    sources = [scene_source(cache, scenes, SIZE, 0.45, max(1, workers))]
    sources += [] if data is None else photo_sources(data)
    model = new_model(seed) if start is None else load(start)
    # The backward of PyTorch's fused attention on CPU is slow for the decoder's few prompt tokens: a fifth of a step.
    if find_device(device).type == "cpu":
        cast(Any, model).set_attn_implementation({"mask_decoder_config": "eager"})
    # Attached, since batches are not all square; at the trained size plain SAM and basam are the same.
    module = PromptedLoss(attach(model, BiasMode.off()).train(), WEIGHTS)
    plan = Plan(steps=steps, rate=rate, warmup=warmup, floor=1.0, precision=precision, seed=seed)
    views = PromptedViews(sources, batch, prompts, seed, distinct)
    pictures = {source.name: len(source.images) for source in sources}
    settings = {"batch": batch, "prompts": prompts, "start": start, "pictures": pictures, "distinct": distinct}

    def write(trainer: Trainer, done: int) -> None:
        if trainer.is_main:
            with trainer.average.applied():
                write_model(detach(copy.deepcopy(model)).eval(), out / "nano")

    StableThenDecay(
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
    ).run()
