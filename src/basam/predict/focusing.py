"""Predict with every prompt on the region around its object.

A prompt gets a region around its box, or around the object that a click or an earlier mask means. Prompts near one another
share a region. The region is encoded, the mask is predicted there and placed in the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from basam.errors import InputError
from basam.predict.decoding import PromptDecoder
from basam.predict.focus import Focus
from basam.predict.mask_prompts import MaskPrompts
from basam.predict.photo_encoder import PhotoEncoder
from basam.predict.predictions import Prediction
from basam.predict.prompts import CheckedPrompts
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

# Most predictions per click under the rule `zoom`, including the one on the whole photo.
MOST_ZOOMS = 4
# A square with this overlap (IoU) with an earlier one shows nothing new.
SAME_REGION = 0.8


class FocusDecoder(PromptDecoder):
    """Predicts with prompts on their regions of the current image.

    Args:
        encoder: with an image set.
        focus: how regions are chosen.
        multimask: see `Predictor.predict`.
        region: for all prompts, instead of one per prompt.
    """

    def __init__(self, encoder: PhotoEncoder, focus: Focus, multimask: bool, region: Region | None = None) -> None:
        super().__init__(encoder, multimask)
        pixels, whole = encoder.image.pixels, encoder.image.whole
        if isinstance(pixels, torch.Tensor) or pixels.shape[:2] != whole.frame.original:
            raise InputError("focus needs the photo itself at native resolution: give it to set_image")
        self.focus, self.region = focus, region
        self.side = focus.side or self.geometry.image_size
        self.least = self.side / MOST_ENLARGED
        self.coarse = self.view(Region(0, 0, max(self.height, self.width)))
        # Side in model pixels of every region that is not the whole image.
        size = self.geometry.mask_size(*Frame.of_model(self.geometry, self.side, self.side, self.side, square=True).padded)
        self.masks = MaskPrompts(self.geometry, [self.coarse, whole], [size], alone=region is not None)

    def view(self, region: Region) -> View:
        return View.of_region(region, self.height, self.width, self.side, self.geometry)

    def choose(self, prompts: CheckedPrompts) -> tuple[dict[int, View], dict[int, Prediction]]:
        order = range(prompts.count)
        if self.region is not None:
            return dict.fromkeys(order, self.view(self.region)), {}
        views = {index: self.view(region) for index, region in self.regions_of_boxes(prompts).items()}
        clicks = [index for index in order if index not in views]
        # The region of a click does not depend on a mask prompt beside it, so an earlier prediction's mask fits the region.
        bare = replace(prompts, masks=None)
        predictions: dict[int, Prediction] = {}
        rule = {"scales": self.best_of_scales, "zoom": self.best_of_zooms}.get(self.focus.click)
        if rule is None:
            views |= {index: self.view(region) for index, region in self.regions_of_clicks(bare, clicks).items()}
        else:
            predictions = {index: rule(bare, index) for index in clicks}
        if prompts.masks is not None:
            views |= {index: prediction.view for index, prediction in predictions.items()}
        return views, predictions

    def regions_of_boxes(self, prompts: CheckedPrompts) -> dict[int, Region]:
        """The region per prompt whose object is located by a box, or by a mask of the whole image."""
        boxes = self.masks.boxes(prompts)
        shared = share_regions(boxes.values(), self.focus.context, self.least, self.height, self.width)
        return dict(zip(boxes, shared, strict=True))

    @property
    def is_small(self) -> bool:
        """Whether the whole image is no larger than a region."""
        return self.coarse.region is None and max(self.height, self.width) <= self.side

    def regions_of_clicks(self, prompts: CheckedPrompts, indices: Sequence[int]) -> dict[int, Region]:
        """The region per click: around its coarse mask of the whole image, or around the click itself."""
        if not indices:
            return {}
        if self.is_small:
            return {index: Region(0, 0, max(self.height, self.width)) for index in indices}
        coarse = self.predict(prompts, dict.fromkeys(indices, self.coarse), multimask=False)
        regions = {}
        for index in indices:
            box = self.masks.box(coarse[index].low_res[0])
            if box is None or not len(prompts.positive_points(index)):
                regions[index] = self.around_points(prompts.object_points(index))
            else:
                regions[index] = self.around(prompts.with_positive_points(box, index))
        return regions

    def around(self, box: NDArray[np.float64]) -> Region:
        return region_around(box, self.focus.context, self.least, self.height, self.width)

    def around_points(self, points: NDArray[np.float64]) -> Region:
        """A window of the training resolution around points, at native resolution; larger if the points are further apart."""
        low, high = points.min(0), points.max(0)
        side = max(self.side, self.focus.context * float((high - low).max()))
        x, y = (low + high) / 2
        return region_at(float(x), float(y), side, self.height, self.width)

    def best_of_scales(self, prompts: CheckedPrompts, index: int) -> Prediction:
        """The best prediction on squares of several sizes around a click."""
        views = self.scales(prompts, index)
        self.encoder.encode(views)
        return self.best([self.predict(prompts, {index: view})[index] for view in views])

    def scales(self, prompts: CheckedPrompts, index: int) -> list[View]:
        """Squares of several sizes around a click."""
        points = prompts.object_points(index)
        return [self.view(region) for region in regions_of_points(points, self.least, self.height, self.width)]

    def best_of_zooms(self, prompts: CheckedPrompts, index: int) -> Prediction:
        """The best of several predictions: on the whole photo, on the region of that mask, and so on, until a region is nearly
        one that was used."""
        region, used, predictions = Region(0, 0, max(self.height, self.width)), list[Region](), list[Prediction]()
        while len(predictions) < MOST_ZOOMS and all(region.overlap(other) < SAME_REGION for other in used):
            predictions.append(self.predict(prompts, {index: self.view(region)})[index])
            used.append(region)
            region = self.around_prediction(predictions[-1], prompts, index)
        return self.best(predictions)

    def around_prediction(self, prediction: Prediction, prompts: CheckedPrompts, index: int) -> Region:
        """The region of a predicted mask; a window around the click if the mask is empty."""
        if prediction.best_box is None:
            return self.around_points(prompts.object_points(index))
        return self.around(prompts.with_positive_points(prediction.best_box + np.tile(prediction.view.shift, 2), index))

    def best(self, predictions: Sequence[Prediction]) -> Prediction:
        return max(predictions, key=lambda prediction: prediction.ranking_score(self.focus, self.height, self.width))
