"""One task of a worker process: a picture at some sizes with some configurations -> lines of results.

A line is one of `basam.lab.evaluation.lines`: of a picture, a size, a method (a configuration) and a prompt, with IoU and
boundary IoU of every instance. Lines of entropy have `layers` instead: a number, in nats, for every global layer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import basam
from basam.lab.data import PromptSpec, SampleError, make_prompt
from basam.lab.evaluation import Line, issue_line, pool
from basam.lab.metrics import measure
from basam.predict import Frame
from studies.length_study.attention import recorded_entropies
from studies.length_study.configurations import SQUEEZED, Configuration, by_effect
from studies.length_study.pictures import PHOTOS, TRAINED, Picture, generated, photo

PROMPTS = ("gt-box", "gt-point")
METRICS = ("iou", "boundary_iou")
QUERIES = 64  # of entropy, a picture
ENTROPY = "entropy"  # in the place of a prompt
FLOAT32 = " (float32)"  # after the name of a configuration whose encoder ran in float32


@dataclass(frozen=True)
class Task:
    """kind: `quality`, `float32` (the same, encoder in float32) or `entropy`; wanted: names of configurations by size."""

    kind: str
    sample: str
    wanted: dict[int, tuple[str, ...]]


class Worker:
    """A process's models and data; one thread each, since as many processes run as there are cores."""

    def __init__(self, model: str, data: Path | None) -> None:
        torch.set_num_threads(1)
        self.model, self.data = model, data
        self.predictors: dict[torch.dtype, basam.Predictor] = {}

    def predictor(self, dtype: torch.dtype) -> basam.Predictor:
        if dtype not in self.predictors:
            self.predictors[dtype] = basam.Predictor.from_pretrained(self.model, dtype=dtype)
        return self.predictors[dtype]

    @torch.inference_mode()
    def do(self, task: Task) -> list[Line]:
        """The lines of a task, each with its share of the processor time (`seconds`), or one that says why there are none."""
        start = time.process_time()
        work = self.entropies if task.kind == "entropy" else self.quality
        try:
            lines = list(work(task))
        except SampleError as error:
            return [issue_line(task.sample, [error.issue])]
        seconds = round((time.process_time() - start) / len(lines), 4)
        return [line | {"seconds": seconds} for line in lines]

    def pictures(self, task: Task) -> Iterator[tuple[int, Picture]]:
        """The picture of a task at every size; a photograph is read once."""
        if task.sample.split("/")[0] not in PHOTOS:
            yield from ((size, generated(task.sample, size)) for size in task.wanted)
            return
        if self.data is None:
            raise ValueError(f"{task.sample}: no folder of photographs was given")
        picture = photo(task.sample, self.data)
        yield from ((size, picture) for size in task.wanted)

    def quality(self, task: Task) -> Iterator[Line]:
        in_full = task.kind == "float32"
        predictor = self.predictor(torch.float32 if in_full else torch.bfloat16)
        for size, picture in self.pictures(task):
            prompts = {prompt: stacked_prompts(prompt, picture) for prompt in PROMPTS}
            for group in by_effect(task.wanted[size], grid_of(predictor, picture, size), self.trained_side(predictor)):
                encode(predictor, picture, size, group[0])
                for prompt, arguments in prompts.items():
                    masks, _, _ = predictor.predict(**arguments, multimask_output=False)
                    instances = list(measured(masks[:, 0], picture))
                    for c in group:
                        method = c.name + (FLOAT32 if in_full else "")
                        yield line_of(task.sample, size, method) | {"prompt": prompt, "instances": instances}

    def entropies(self, task: Task) -> Iterator[Line]:
        predictor = self.predictor(torch.bfloat16)
        patch = predictor.attachment.geometry.patch
        for size, picture in self.pictures(task):
            # The same places at every size; in a mosaic, those of its first tile.
            places = np.random.default_rng(int(task.sample.rsplit("/", 1)[1])).uniform(size=(QUERIES, 2))
            across = TRAINED if task.sample.startswith("scene/") else size
            coordinates = torch.from_numpy(places * (across / patch))
            grid = grid_of(predictor, picture, size)
            for group in by_effect(task.wanted[size], grid, self.trained_side(predictor)):
                with recorded_entropies(predictor.model, coordinates) as layers:
                    encode(predictor, picture, size, group[0])
                numbers = [round(entropy, 5) for entropy in layers]
                for c in group:
                    yield line_of(task.sample, size, c.name) | {"prompt": ENTROPY, "layers": numbers}

    def trained_side(self, predictor: basam.Predictor) -> int:
        return predictor.attachment.geometry.trained_side


def line_of(sample: str, size: int, method: str) -> Line:
    return {"sample": sample, "size": size, "method": method}


def encode(predictor: basam.Predictor, picture: Picture, size: int, c: Configuration) -> None:
    predictor.mode = c.mode
    long_side = predictor.attachment.geometry.image_size if c is SQUEEZED else size
    predictor.set_image(picture.image, long_side=long_side, square=c is SQUEEZED)
    predictor.encode([predictor.image.whole])


def grid_of(predictor: basam.Predictor, picture: Picture, size: int) -> tuple[int, int]:
    """Patches that the picture has at a long side of `size`, (height, width)."""
    patch = predictor.attachment.geometry.patch
    height, width = picture.image.shape[:2]
    frame = Frame.fit(height, width, size, patch, False)
    return frame.padded[0] // patch, frame.padded[1] // patch


def stacked_prompts(prompt: str, picture: Picture) -> dict[str, Any]:
    """The prompts of all instances together, as `Predictor.predict` takes them."""
    made = [
        make_prompt(PromptSpec(prompt), mask, seed=0, sample_id=picture.sample, instance_id=name).arguments()
        for name, mask in picture.masks.items()
    ]
    return {name: None if value is None else np.stack([one[name] for one in made]) for name, value in made[0].items()}


def measured(masks: np.ndarray, picture: Picture) -> Iterator[dict[str, Any]]:
    """The metrics of every instance, of predicted masks `(K, H, W)` bool."""
    for (name, truth), mask in zip(picture.masks.items(), masks, strict=True):
        found = measure(mask.astype(np.float32), truth, METRICS)
        yield {"id": name, "metrics": {metric: round(found[metric], 5) for metric in METRICS}}


WORKER: list[Worker] = []  # the one of this process


def start_worker(model: str, data: Path | None) -> None:
    pool.start_worker()
    WORKER[:] = [Worker(model, data)]


def do(task: Task) -> list[Line]:
    return WORKER[0].do(task)
