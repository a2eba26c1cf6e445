"""Prompts to masks through the regions that they are about.

Each prompt gets a region: around its box, around the object that a click or an earlier mask means. Prompts near each other
share one. The region is encoded, the prompt is answered there, and its mask is put back into the whole image.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from basam.errors import InputError
from basam.families import PromptTensors
from basam.masks import tight_box
from basam.predict.answers import OUTSIDE, Answer
from basam.predict.engine import Engine
from basam.predict.focus import Focus
from basam.predict.prompts import IGNORED, CheckedPrompts
from basam.predict.regions import (
    MOST_ENLARGED,
    Region,
    region_around,
    region_at,
    regions_of_points,
    share_regions,
)
from basam.predict.resize import Frame
from basam.predict.views import View

# How often a click is looked at under the rule `zoom`, the whole photo included.
LOOKS = 4
# A square that shares this much (IoU) with one that was looked at shows nothing new.
KNOWN = 0.8


class Focusing:
    """Answers prompts on the image at hand by their regions.

    Args:
        engine: with an image.
        focus: how regions are chosen.
        multimask: as for `Predictor.predict`.
        region: where all prompts are answered, instead of a region for each.
    """

    def __init__(self, engine: Engine, focus: Focus, multimask: bool, region: Region | None = None) -> None:
        pixels, whole = engine.image.pixels, engine.image.whole.frame.original
        if isinstance(pixels, torch.Tensor) or pixels.shape[:2] != whole:
            raise InputError("focus needs the photo itself at its own size: give it to set_image")
        self.engine, self.focus = engine, focus
        self.multimask, self.region = multimask, region
        self.height, self.width = engine.image.whole.frame.original
        self.geometry = engine.attachment.geometry
        self.side = focus.side or self.geometry.image_size
        self.least = self.side / MOST_ENLARGED
        self.coarse = View.of_region(
            Region(0, 0, max(self.height, self.width)), self.height, self.width, self.side, self.geometry
        )

    def view(self, region: Region) -> View:
        return View.of_region(region, self.height, self.width, self.side, self.geometry)

    def answer(self, prompts: CheckedPrompts) -> list[Answer]:
        """An answer for each prompt."""
        order = range(prompts.count)
        if self.region is not None:
            found = self.decode(prompts, dict.fromkeys(order, self.view(self.region)))
            return [found[index] for index in order]
        views = {index: self.view(region) for index, region in self.regions_of_boxes(prompts).items()}
        clicks = [index for index in order if index not in views]
        # Where a click looks does not depend on a mask beside it: so the mask of an earlier answer finds its region again.
        bare = replace(prompts, masks=None)
        found = {}
        choose = {"scales": self.best_of_scales, "zoom": self.best_of_zooms}.get(self.focus.click)
        if choose is None:
            views |= {index: self.view(region) for index, region in self.regions_of_clicks(bare, clicks).items()}
        else:
            found = {index: choose(bare, index) for index in clicks}
        if prompts.masks is not None:
            views |= {index: answer.view for index, answer in found.items()}
        found |= self.decode(prompts, views)
        return [found[index] for index in order]

    def regions_of_boxes(self, prompts: CheckedPrompts) -> dict[int, Region]:
        """The region of each prompt that says by itself where its object is."""
        boxes = dict(self.boxes(prompts))
        shared = share_regions(boxes.values(), self.focus.context, self.least, self.height, self.width)
        return dict(zip(boxes, shared, strict=True))

    def boxes(self, prompts: CheckedPrompts) -> Iterable[tuple[int, NDArray[np.float64]]]:
        """Index and box of the prompts that say by themselves where their object is; positive points lie inside."""
        for index in range(prompts.count):
            box = None if prompts.boxes is None else prompts.boxes[index]
            if box is None and prompts.masks is not None and self.is_of_whole(prompts, index):
                box = self.box_of_low_res(prompts.masks[index, 0])
                if box is None and not len(self.meant(prompts, index)):
                    raise InputError("mask_input has no logit above 0, so it does not say where to look: give a point or a box")
            if box is not None:
                yield index, self.with_points(box, prompts, index)

    def with_points(self, box: NDArray[np.float64], prompts: CheckedPrompts, index: int) -> NDArray[np.float64]:
        points = self.positive(prompts, index)
        if not len(points):
            return box
        return np.concatenate([np.minimum(box[:2], points.min(0)), np.maximum(box[2:], points.max(0))])

    @staticmethod
    def positive(prompts: CheckedPrompts, index: int) -> NDArray[np.float64]:
        if prompts.points is None or prompts.labels is None:
            return np.zeros((0, 2))
        return prompts.points[index][prompts.labels[index] == 1]

    def meant(self, prompts: CheckedPrompts, index: int) -> NDArray[np.float64]:
        """The points around which the object of a click lies: the positive ones, else all but padding."""
        points = self.positive(prompts, index)
        if len(points) or prompts.points is None or prompts.labels is None:
            return points
        return prompts.points[index][prompts.labels[index] >= 0]

    def is_of_whole(self, prompts: CheckedPrompts, index: int) -> bool:
        """Whether a mask prompt is one of the whole image. One of a region's size is of the region that the prompt has without
        it: a mask alone has none, so that it has to be of the whole image."""
        if prompts.masks is None or prompts.masks.shape[2:] != self.region_mask_size:
            return True
        return self.region is None and prompts.boxes is None and not len(self.meant(prompts, index))

    def box_of_low_res(self, logits: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """The box in pixels of the image of low-resolution logits of the whole image; None where it is empty."""
        frame = self.whole_of(logits).frame
        # Model pixels along the sides of a pixel of the mask.
        up, across = (padded / length for padded, length in zip(frame.padded, logits.shape, strict=True))
        mask = logits[: math.ceil(frame.resized[0] / up), : math.ceil(frame.resized[1] / across)] > 0
        if not mask.any():
            return None
        scale = np.array([across * self.width / frame.resized[1], up * self.height / frame.resized[0]] * 2)
        limit = np.array([self.width, self.height, self.width, self.height], dtype=np.float64)
        return np.minimum(tight_box(mask) * scale, limit)

    def whole_of(self, logits: NDArray[np.float32]) -> View:
        """The view of the whole image that low-resolution logits `(h, w)` belong to, by their size.

        Raises:
            ValueError: neither that of a first pass nor that of the image as it is set.
        """
        views = (self.coarse, self.engine.image.whole)
        for view in views:
            if logits.shape == self.mask_size(view):
                return view
        shapes = dict.fromkeys(self.mask_size(view) for view in views)
        sizes = " or ".join(f"(1, {height}, {width})" for height, width in shapes)
        height, width = self.region_mask_size
        raise InputError(
            f"mask_input of shape (1, {logits.shape[0]}, {logits.shape[1]}): {sizes} of the whole image is needed, or, "
            f"beside a point or a box, (1, {height}, {width}) of its region"
        )

    def mask_size(self, view: View) -> tuple[int, int]:
        return self.geometry.mask_size(*view.frame.padded)

    @property
    def region_mask_size(self) -> tuple[int, int]:
        """That of every region which is not the whole image."""
        return self.geometry.mask_size(*Frame.of_model(self.geometry, self.side, self.side, self.side, square=True).padded)

    @property
    def is_small(self) -> bool:
        """Whether the whole image is no larger than a region."""
        return self.coarse.region is None and max(self.height, self.width) <= self.side

    def regions_of_clicks(self, prompts: CheckedPrompts, indices: Sequence[int]) -> dict[int, Region]:
        """The region of each click: around its coarse mask of the whole image, or around the click itself."""
        if not indices:
            return {}
        if self.is_small:
            return {index: Region(0, 0, max(self.height, self.width)) for index in indices}
        coarse = self.decode(prompts, dict.fromkeys(indices, self.coarse), multimask=False)
        found = {}
        for index in indices:
            box = self.box_of_low_res(coarse[index].low_res[0])
            points = self.positive(prompts, index)
            if box is None or not len(points):
                found[index] = self.around_points(self.meant(prompts, index))
            else:
                box = self.with_points(box, prompts, index)
                found[index] = region_around(box, self.focus.context, self.least, self.height, self.width)
        return found

    def around_points(self, points: NDArray[np.float64]) -> Region:
        """A window of the trained size around points, at the image's own pixels; larger where they lie further apart."""
        low, high = points.min(0), points.max(0)
        side = max(self.side, self.focus.context * float((high - low).max()))
        x, y = (low + high) / 2
        return region_at(float(x), float(y), side, self.height, self.width)

    def best_of_scales(self, prompts: CheckedPrompts, index: int) -> Answer:
        """The best answer on squares of several sizes around a click."""
        views = self.scales(prompts, index)
        self.engine.encode(views)
        return self.best([self.decode(prompts, {index: view})[index] for view in views])

    def scales(self, prompts: CheckedPrompts, index: int) -> list[View]:
        """Squares of several sizes around a click."""
        points = self.meant(prompts, index)
        return [self.view(each) for each in regions_of_points(points, self.least, self.height, self.width)]

    def best_of_zooms(self, prompts: CheckedPrompts, index: int) -> Answer:
        """The best answer of looking at the whole photo, then at the region of the mask found there, and so on, until a
        region is nearly one that was looked at."""
        region, seen, answers = Region(0, 0, max(self.height, self.width)), list[Region](), list[Answer]()
        while len(answers) < LOOKS and all(region.overlap(each) < KNOWN for each in seen):
            answers.append(self.decode(prompts, {index: self.view(region)})[index])
            seen.append(region)
            region = self.around_answer(answers[-1], prompts, index)
        return self.best(answers)

    def around_answer(self, answer: Answer, prompts: CheckedPrompts, index: int) -> Region:
        """The region of the mask that was answered; a window around the click where it is empty."""
        if answer.best_box is None:
            return self.around_points(self.meant(prompts, index))
        box = self.with_points(answer.best_box + np.tile(answer.view.shift, 2), prompts, index)
        return region_around(box, self.focus.context, self.least, self.height, self.width)

    def best(self, answers: Sequence[Answer]) -> Answer:
        return max(answers, key=lambda each: each.worth(self.focus, self.height, self.width))

    def decode(self, prompts: CheckedPrompts, views: dict[int, View], multimask: bool | None = None) -> dict[int, Answer]:
        """Answers of prompts on the views that they were given, by index; those alike are decoded together."""
        self.engine.encode(list(views.values()))
        alike: dict[tuple[View, int], list[int]] = defaultdict(list)
        for index, view in views.items():
            alike[view, len(self.seen_points(prompts, index, view))].append(index)
        found: dict[int, Answer] = {}
        for (view, _), indices in alike.items():
            tensors = self.tensors(prompts, indices, view)
            answers = self.engine.answers_on(view, tensors, multimask=self.multimask if multimask is None else multimask)
            found |= dict(zip(indices, answers, strict=True))
        return found

    def seen_points(self, prompts: CheckedPrompts, index: int, view: View) -> NDArray[np.int64]:
        """Which points of a prompt lie in a view; the others say nothing about it."""
        if prompts.points is None or prompts.labels is None:
            return np.zeros(0, dtype=np.int64)
        points, labels = prompts.points[index] - view.shift, prompts.labels[index]
        height, width = view.frame.original
        inside = (points >= 0).all(-1) & (points[:, 0] <= width) & (points[:, 1] <= height)
        return np.flatnonzero((inside & (labels >= 0)) | (labels == IGNORED))  # Meta's padding belongs to every view

    def tensors(self, prompts: CheckedPrompts, indices: Sequence[int], view: View) -> PromptTensors:
        """Prompts in pixels of the view's resized frame; all of them have as many points in the view."""
        frame, engine = view.frame, self.engine
        points = labels = boxes = masks = None
        seen = [self.seen_points(prompts, index, view) for index in indices]
        if prompts.points is not None and prompts.labels is not None and len(seen[0]):
            coords = np.stack([prompts.points[index][part] for index, part in zip(indices, seen, strict=True)])
            marks = np.stack([prompts.labels[index][part] for index, part in zip(indices, seen, strict=True)])
            points, labels = engine.tensor(frame.points_in(coords - view.shift)), torch.from_numpy(marks).to(engine.device)
        if prompts.boxes is not None:
            boxes = engine.tensor(frame.boxes_in(prompts.boxes[indices] - np.tile(view.shift, 2)))
        if prompts.masks is not None:
            of_whole = [self.is_of_whole(prompts, index) for index in indices]
            given = zip(prompts.masks[indices], of_whole, strict=True)
            masks = engine.tensor(np.stack([self.mask_in(logits, whole, view) for logits, whole in given]))
        return PromptTensors(points, labels, boxes, masks)

    def mask_in(self, logits: NDArray[np.float32], of_whole: bool, view: View) -> NDArray[np.float32]:
        """A mask prompt `(1, h, w)` in this view: one of the whole image is cut and resampled to it."""
        height, width = self.mask_size(view)
        if not of_whole:
            return logits[:, :height, :width]  # beside that of a region, `stacked_low_res` filled up that of the whole image
        if view.region is None and logits.shape[1:] == (height, width):
            return logits
        whole = self.whole_of(logits[0]).frame.masks_out(torch.from_numpy(logits)[None])
        rows, columns = view.window(self.height, self.width)
        part = F.interpolate(whole[..., rows, columns], view.frame.resized, mode="bilinear", antialias=True)
        up, across = (padded - resized for padded, resized in zip(view.frame.padded, view.frame.resized, strict=True))
        part = F.pad(part, (0, across, 0, up), value=OUTSIDE)
        return F.interpolate(part, (height, width), mode="bilinear", antialias=True)[0].numpy()
