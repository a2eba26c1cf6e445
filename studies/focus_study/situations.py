"""What people do with a photograph: one prompt, many, none; on photographs and on pictures with a large field of view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from basam.lab.data import PromptSpec, Sample, make_prompt, open_dataset
from basam.lab.evaluation import chosen, read_sample
from studies.length_study.pictures import SMALLEST_AREA, generated, sample_id

DATA = Path("../shared/data")
COCO = ("coco", "COCO", "val2017")
DUTS = ("duts", "standin-DUTS", "DUTS-TE")
MOST = 12  # prompts on one photograph
LARGE = 1500  # pixels, the long side of a large photograph


@dataclass(frozen=True, eq=False)
class Task:
    """An image `(H, W, 3)`, prompts on it and what their masks are compared with, `(H, W)` bool."""

    sample: str
    image: np.ndarray
    prompts: list[dict[str, Any]]
    truths: list[np.ndarray]


@dataclass(frozen=True)
class Situation:
    """Attributes:
    title: of its column; about: what it is, for the page.
    prompt: a kind of `PromptSpec`; most: prompts on an image.
    source: kind, folder and split of photographs; None: mosaics of `tiles` x `tiles` generated scenes.
    count: images, evenly spaced over the data; large: only those of a long side of LARGE pixels and more.
    """

    name: str
    title: str
    prompt: str
    most: int
    count: int
    source: tuple[str, str, str] | None = None
    tiles: int = 0
    large: bool = False

    def samples(self) -> list[str]:
        """Names of the images, the same in every run."""
        if self.source is None:
            # Odd seeds are for reporting: see `length_study.pictures`.
            units = [unit for unit in range(4 * self.count) if (unit // 5) % 2]
            return [sample_id("scene", unit) for unit in units[: self.count]]
        return list(self.photographs())

    def photographs(self) -> dict[str, Sample]:
        assert self.source is not None
        kind, folder, split = self.source
        dataset = open_dataset(kind, DATA / folder, split)
        samples = [one for one in dataset if not self.large or max(size_of(one)) >= LARGE]
        return {one.id: one for one in chosen(samples, self.count)}

    def tasks(self, wanted: set[str]) -> Iterator[Task]:
        """The tasks of those images that are wanted, one at a time."""
        if self.source is None:
            for name in self.samples():
                if name in wanted:
                    picture = generated(name, 256 * self.tiles)
                    yield self.task(name, picture.image, dict(list(picture.masks.items())[: self.most]), None)
            return
        for name, sample in self.photographs().items():
            if name in wanted:
                loaded, image = read_sample(sample)
                seen = {one.id: one.mask for one in loaded.instances if one.mask.sum() >= SMALLEST_AREA}
                order = np.random.default_rng(0).permutation(len(seen))[: self.most]
                kept = {list(seen)[index]: list(seen.values())[index] for index in sorted(order.tolist())}
                yield self.task(name, image, kept, loaded.ignored)

    def task(self, name: str, image: np.ndarray, masks: dict[str, np.ndarray], ignored: np.ndarray | None) -> Task:
        prompts = [
            make_prompt(
                PromptSpec.parse(self.prompt), mask, seed=0, sample_id=name, instance_id=instance, ignored=ignored
            ).arguments()
            for instance, mask in masks.items()
        ]
        return Task(name, image, prompts, list(masks.values()))


def size_of(sample: Sample) -> tuple[int, int]:
    from PIL import Image

    with Image.open(sample.image_path) as picture:
        return picture.size


SITUATIONS = (
    Situation("box", "one box, a photo of 640 px", "gt-box", 1, 16, COCO),
    Situation("click", "one click, a photo of 640 px", "gt-point", 1, 16, COCO),
    Situation("box-large", f"one box, a photo of {LARGE} px and more", "gt-box", 1, 3, DUTS, large=True),
    Situation("many", f"up to {MOST} boxes, a photo of 640 px", "gt-box", MOST, 6, COCO),
    Situation("none", "no prompt (salient object, tuned)", "none", 1, 10, DUTS),
    Situation("box-2", "box, 2 x 2 scenes, 512 px", "gt-box", 6, 15, tiles=2),
    Situation("box-4", "box, 4 x 4 scenes, 1024 px", "gt-box", 6, 10, tiles=4),
    Situation("click-2", "click, 2 x 2 scenes, 512 px", "gt-point", 6, 15, tiles=2),
    Situation("click-4", "click, 4 x 4 scenes, 1024 px", "gt-point", 6, 10, tiles=4),
)
