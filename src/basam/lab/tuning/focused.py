"""Regions to train on: the squares that predicting will use, with jitter, and prompts in their pixels.

A box is trained on the square around it: its context is drawn around that of predicting, and it is moved as far as a square
that several prompts share may be. So is a click whose rule needs a first prediction (`coarse` and `zoom`), around the truth of
its object, or on the whole photograph, which is that first prediction. A click with the rule `scales` is trained on one of the
squares that predicting tries: what a square cuts off counts against the IoU that should be predicted, so the predicted IoU
learns which square is the right one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from basam.families import Geometry
from basam.lab.data import Prompt, PromptSpec, make_prompt
from basam.lab.tuning.photo_cache import Picture
from basam.masks import tight_box
from basam.predict import CLICK_SHARES, MOST_ENLARGED, Focus, Frame, Region, View, region_around, regions_of_points

# Context is drawn from that of predicting divided by this to that times this, evenly in its logarithm.
CONTEXT_JITTER = 1.5
# How much of the margin beside the object a square may be moved by: as much as where prompts share one.
SHIFT = 0.5
# Share of clicks that are trained on their first prediction.
FIRST_LOOKS = 0.5
# Photographs are cached at this many times the region's side, so that the smallest square around a click has native pixels.
DETAIL = round(1 / min(CLICK_SHARES))


@dataclass(frozen=True, eq=False)
class Cut:
    """A region of a photograph with one object and its prompt, in pixels of the photograph that begin at the region.

    Attributes:
        mask, ignored: `(h, w)` bool; ignored: None where all pixels count.
        frame: sizes of the region: its own, resized, padded.
        beyond: how much of the object is outside, as a multiple of what is inside.
    """

    image: Image.Image
    mask: np.ndarray
    ignored: np.ndarray | None
    prompt: Prompt
    frame: Frame
    beyond: float

    def mirrored(self) -> Cut:
        """Left to right."""
        image = self.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        ignored = None if self.ignored is None else self.ignored[:, ::-1]
        prompt = mirrored(self.prompt, self.image.width)
        return replace(self, image=image, mask=self.mask[:, ::-1], ignored=ignored, prompt=prompt)


@dataclass(frozen=True)
class RegionDraws:
    """Draws regions as `focus` chooses them for a model of this geometry."""

    focus: Focus
    geometry: Geometry

    def cut(
        self,
        picture: Picture,
        mask: np.ndarray,
        spec: PromptSpec,
        side: int,
        generator: np.random.Generator,
        sample_id: str,
    ) -> Cut:
        """A region of `side` model pixels for a prompt of kind `spec` on the object `mask` of `picture`."""
        height, width = mask.shape
        prompt = make_prompt(
            spec,
            mask,
            seed=int(generator.integers(2**31)),
            sample_id=sample_id,
            instance_id="",
            ignored=picture.ignored,
        )
        region = self.region(prompt, mask, side / MOST_ENLARGED, generator)
        rows, columns = region.inside(height, width)
        image = picture.image.crop((columns.start, rows.start, columns.stop, rows.stop))
        part = mask[rows, columns]
        ignored = None if picture.ignored is None else picture.ignored[rows, columns]
        frame = View.of_region(region, height, width, side, self.geometry).frame
        beyond = float(mask.sum()) / max(1, part.sum()) - 1 if part.any() else 0.0
        return Cut(image, part, ignored, seen_in(prompt, region, part.shape), frame, beyond)

    def region(self, prompt: Prompt, mask: np.ndarray, least: float, generator: np.random.Generator) -> Region:
        """The square for a prompt; `least`: its smallest side, in pixels of the photograph."""
        height, width = mask.shape
        if prompt.box is None and self.focus.click == "scales":
            assert prompt.points is not None
            assert prompt.labels is not None
            tried = regions_of_points(prompt.points[prompt.labels == 1], least, height, width)
            return tried[generator.integers(len(tried))]
        if prompt.box is None and generator.random() < FIRST_LOOKS:
            return Region(0, 0, max(height, width))
        # A first prediction finds the object more or less: its truth stands for the prediction.
        box = tight_box(mask) if prompt.box is None else prompt.box
        factor = math.exp(generator.uniform(-math.log(CONTEXT_JITTER), math.log(CONTEXT_JITTER)))
        own = region_around(box, max(1.0, factor * self.focus.context), least, height, width)
        left = moved(own.left, own.side, box[0], box[2], width, generator)
        return Region(left, moved(own.top, own.side, box[1], box[3], height, generator), own.side)


def moved(start: int, side: int, low: float, high: float, length: int, generator: np.random.Generator) -> int:
    """Another start of a square of `side` along one axis of `length` px, which still holds `low` to `high`."""
    before, after = SHIFT * (low - start), SHIFT * (start + side - high)
    place = round(start + generator.uniform(-max(0.0, after), max(0.0, before)))
    return max(0, min(place, length - side))


def seen_in(prompt: Prompt, region: Region, shape: tuple[int, ...]) -> Prompt:
    """A prompt in pixels that begin at `region`; points outside of `shape` are dropped."""
    if prompt.box is not None:
        return Prompt(box=prompt.box - np.tile(region.shift, 2))
    assert prompt.points is not None
    assert prompt.labels is not None
    points = prompt.points - region.shift
    inside = (points >= 0).all(-1) & (points[:, 0] <= shape[1]) & (points[:, 1] <= shape[0])
    return Prompt(points=points[inside], labels=prompt.labels[inside])


def mirrored(prompt: Prompt, width: int) -> Prompt:
    """A prompt on an image of `width` that is mirrored left to right; points are pixels, boxes lie between pixels."""
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        return Prompt(box=np.array([width - x1, y0, width - x0, y1]))
    assert prompt.points is not None
    return Prompt(points=prompt.points * [-1, 1] + [width - 1, 0], labels=prompt.labels)


def resized(prompt: Prompt, frame: Frame) -> Prompt:
    """A prompt in pixels of the resized region."""
    if prompt.box is not None:
        return Prompt(box=frame.boxes_in(prompt.box))
    assert prompt.points is not None
    return Prompt(points=frame.points_in(prompt.points), labels=prompt.labels)
