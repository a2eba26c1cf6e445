"""Batches to tune on: a pure function of seed and step, whatever the number of processes, and whether a run was interrupted.

A batch is a dict of B photographs with one object and one prompt per photograph:

- `pixels` `(B, 3, H, W)` normalised; what is padded is 0
- `targets` `(B, h, w)` share of the object per pixel of the decoder's masks, 0 to 1
- `valid` `(B, h, w)` share of the photograph in it; 0 where it is padding
- `counted` `(B, h, w)` share of it that is not ignored; absent where all photographs count as a whole
- `beyond` `(B,)` how much of the object is outside of its region, as a multiple of what is inside; absent without regions
- `points` `(B, P, 2)` x, y in pixels of `pixels` with `labels` `(B, P)`, or `boxes` `(B, 4)`
- `multimask` whether the three masks for ambiguous prompts are decoded, instead of the single one
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from basam.errors import InputError
from basam.families import Family, Geometry
from basam.lab.data import Issues, Prompt, PromptSpec, SampleError, make_prompt
from basam.lab.tuning.augment import Augment, cropped
from basam.lab.tuning.buckets import Buckets, Item, items_of
from basam.lab.tuning.focused import DETAIL, RegionDraws, resized
from basam.lab.tuning.photo_cache import Picture, Pictures, half_covered, shrink
from basam.lab.tuning.recipe import MIX, Sizes
from basam.lab.tuning.sources import Portion
from basam.predict import Focus, Frame

# A photograph that turns out to be broken is replaced by the next draw, at most this often.
REPLACEMENTS = 20


@dataclass(frozen=True, eq=False)
class Draw:
    """The plan of a step for its photographs, computed without decoding any: so every process knows all of it."""

    items: list[Item]
    spec: PromptSpec
    multimask: bool
    side: int  # long side, of regions where these are trained on
    shares: list[float]  # of both sides that its crop keeps
    frames: list[Frame]  # none for regions, which depend on the object


class Example(NamedTuple):
    """One photograph of a batch, every tensor with a batch of one in front."""

    pixels: Tensor
    target: Tensor
    valid: Tensor
    counted: Tensor | None
    prompt: Prompt
    beyond: float


class TuningBatches:
    """Makes the batches of a run, as `trainer.Batches` wants them.

    Args:
        portions: the data to train on.
        family, geometry: of the model: its normalisation and patch.
        batch_size: photographs per step, in all processes.
        sizes: long sides to train at; one for all photographs of a step, unless they keep their own.
        mix: kinds of prompts; one is drawn per step.
        sampling: see `items_of`.
        focus: train on the regions of prompts with these settings; then `sizes` are those of regions, not `native`. None: on
            whole photographs.

    Attributes:
        issues: problems of the data so far.

    Raises:
        ValueError: see `items_of`; sizes smaller than a patch; an empty mix.
    """

    def __init__(
        self,
        portions: Sequence[Portion],
        family: Family,
        geometry: Geometry,
        *,
        batch_size: int,
        sizes: Sizes,
        seed: int = 0,
        mix: Sequence[PromptSpec] = MIX,
        sampling: str = "balanced",
        augment: Augment | None = None,
        focus: Focus | None = None,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size={batch_size}: at least one photograph per step is needed")
        if sizes.high < geometry.step:
            raise InputError(f"sizes {sizes}: smaller than the {geometry.step} px that the model needs")
        if not mix:
            raise InputError("no prompt: give at least one kind")
        self.family, self.geometry = family, geometry
        self.batch_size, self.sizes, self.seed, self.mix = batch_size, sizes, seed, tuple(mix)
        self.augment = Augment() if augment is None else augment
        self.issues = Issues()
        self.items = items_of(portions, sampling, self.issues, geometry.patch if sizes.native else 1)
        self.buckets = Buckets(self.items, sizes.native)
        self.regions = None if focus is None else RegionDraws(focus, geometry)
        # Enough for the smallest crop at the largest size, whose own sides may be reduced a little.
        most = round(sizes.high / self.augment.crop) + 1 if focus is None else DETAIL * sizes.high
        self.pictures = Pictures(None if sizes.native else most)

    def draw(self, step: int) -> Draw:
        """The content of step number `step`."""
        generator = np.random.default_rng([self.seed, step])
        items = self.buckets.draw(generator, self.batch_size)
        spec = self.mix[generator.integers(len(self.mix))]
        # One click may mean a part or the whole: then the three masks are trained as well.
        multimask = spec.kind in ("gt-point", "random-point") and bool(generator.random() < 0.5)
        high, multiple = self.sizes.high, self.geometry.step
        # Multiples that need no padding, as long as there are any in the range: padding teaches nothing.
        low = min(-(-self.sizes.low // multiple), high // multiple)
        long_side = min(high, max(multiple * int(generator.integers(low, high // multiple + 1)), self.sizes.low))
        if self.regions is not None:
            return Draw(items, spec, multimask, long_side, [], [])
        shares = [self.augment.share(generator) for _ in items]
        frames = []
        for item, share in zip(items, shares, strict=True):
            height, width = cropped(item.height, share), cropped(item.width, share)
            target = max(multiple, min(high, max(height, width))) if self.sizes.native else long_side
            frames.append(Frame.of_model(self.geometry, height, width, target))
        padded = max(frame.padded[0] for frame in frames), max(frame.padded[1] for frame in frames)
        frames = [Frame(frame.resized, frame.resized, padded) for frame in frames]
        return Draw(items, spec, multimask, long_side, shares, frames)

    def describe(self, step: int) -> str:
        """The photographs of a step and their kind of prompt."""
        draw = self.draw(step)
        return f"{draw.spec} of {', '.join(str(item.sample.image_path) for item in draw.items)}"

    def make(self, step: int, part: int, parts: int) -> dict[str, Any]:
        """Part `part` of `parts` of the batch of a step.

        Raises:
            ValueError: the batch cannot be cut into `parts` equal parts, or so many photographs are broken that none was found
                to take the place of one.
        """
        if self.batch_size % parts:
            raise InputError(f"batch_size={self.batch_size} cannot be shared by {parts} (processes times accumulation)")
        draw, size = self.draw(step), self.batch_size // parts
        known = len(self.issues), len(self.pictures.issues)
        made = [self.example(draw, step, number) for number in range(part * size, (part + 1) * size)]
        # Worker processes have their own copy of this object: what they find travels with the batch.
        issues = [*list(self.issues)[known[0] :], *list(self.pictures.issues)[known[1] :]]
        pixels, targets, valid, counted, prompts, beyond = zip(*made, strict=True)
        stacked = {"pixels": torch.cat(pixels), "targets": torch.cat(targets), "valid": torch.cat(valid)}
        if any(shares is not None for shares in counted):
            whole = torch.ones_like(valid[0])
            stacked["counted"] = torch.cat([whole if shares is None else shares for shares in counted])
        if self.regions is not None:
            stacked["beyond"] = torch.tensor(beyond, dtype=torch.float32)
        return {**stacked, **stacked_prompts(prompts), "multimask": draw.multimask, "issues": issues}

    def example(self, draw: Draw, step: int, number: int) -> Example:
        """One photograph of a step."""
        generator = np.random.default_rng([self.seed, step, 1, number])
        item, picture = self.read(draw.items[number], generator)
        mask, cut = picture.masks[generator.integers(len(picture.masks))], None
        if self.regions is None:
            frame = draw.frames[number]
            image, mask, ignored = self.augment.place(picture.image, mask, draw.shares[number], generator, picture.ignored)
        else:
            cut = self.regions.cut(picture, mask, draw.spec, draw.side, generator, item.sample.id)
            cut = cut.mirrored() if generator.random() < self.augment.flip else cut
            image, mask, ignored, frame = cut.image, cut.mask, cut.ignored, self.in_square(cut.frame, draw.side)
        size = frame.resized[1], frame.resized[0]
        image = self.augment.recolour(image.resize(size, Image.Resampling.BILINEAR), generator)
        pixels = frame.image_in(np.asarray(image), self.family.mean, self.family.std)
        mask = shrink(mask, size)
        # An object of less than half a pixel keeps one all the same, also where that is ignored.
        ignored = None if ignored is None else half_covered(ignored, size) & ~mask
        if cut is None:
            seed = int(generator.integers(2**31))
            prompt = make_prompt(draw.spec, mask, seed=seed, sample_id=item.sample.id, instance_id=str(number), ignored=ignored)
        else:
            prompt = resized(cut.prompt, cut.frame)
        counted = None if ignored is None or not ignored.any() else 1 - self.to_mask(ignored, frame)
        valid = self.to_mask(np.ones_like(mask), frame)
        return Example(pixels, self.to_mask(mask, frame), valid, counted, prompt, 0.0 if cut is None else cut.beyond)

    def read(self, item: Item, generator: np.random.Generator) -> tuple[Item, Picture]:
        """A photograph in its frame, or a replacement if it cannot be used: all other processes know the replacement
        already."""
        tried = 1
        while True:
            try:
                return item, self.pictures.read(item.sample)
            except SampleError as error:
                self.issues.extend(error.issues)
                if tried > REPLACEMENTS:
                    raise InputError(f"{tried} photographs drawn after another cannot be used, the last: {error}") from error
                warnings.warn(f"{error}: another photograph takes its place", stacklevel=2)
                item, tried = self.items[generator.integers(len(self.items))], tried + 1

    def in_square(self, frame: Frame, side: int) -> Frame:
        """A region's frame for its resized image, padded to the square that all regions of a step have."""
        square = -(-side // self.geometry.multiple) * self.geometry.multiple
        return Frame(frame.resized, frame.resized, (square, square))

    def to_mask(self, mask: np.ndarray, frame: Frame) -> Tensor:
        """`(1, h, w)`: the share of `mask`, of the resized image, in every pixel of the decoder's masks."""
        (height, width), (up, across) = frame.resized, frame.padded
        whole = F.pad(torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32)), (0, across - width, 0, up - height))
        return F.adaptive_avg_pool2d(whole[None], self.geometry.mask_size(up, across))


def stacked_prompts(prompts: Sequence[Prompt]) -> dict[str, Tensor]:
    """Prompts of one kind as tensors; one with fewer points repeats its first, which is inside the object."""
    boxes = [prompt.box for prompt in prompts if prompt.box is not None]
    if boxes:
        return {"boxes": torch.from_numpy(np.stack(boxes)).float()}
    given = [(prompt.points, prompt.labels) for prompt in prompts if prompt.points is not None and prompt.labels is not None]
    most = max(len(labels) for _, labels in given)
    orders = [[*range(len(labels)), *[0] * (most - len(labels))] for _, labels in given]
    return {
        "points": torch.from_numpy(np.stack([points[order] for (points, _), order in zip(given, orders, strict=True)])).float(),
        "labels": torch.from_numpy(np.stack([labels[order] for (_, labels), order in zip(given, orders, strict=True)])),
    }
