"""Prompts on views of the current image -> predictions, through the mask decoder.

Subclasses choose the view per prompt: the whole image (`Predictor`), the region around the object (`focusing`), or a part of
the whole image's embedding (`pyramid`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_map, tree_map_only

from basam.families import PromptTensors
from basam.predict.batching import batches
from basam.predict.mask_prompts import MaskPrompts
from basam.predict.photo_encoder import PhotoEncoder
from basam.predict.predictions import Prediction
from basam.predict.prompts import META_PADDING, CheckedPrompts
from basam.predict.views import CACHED, View

# Memory of one decoder batch.
BATCH_BYTES = 512 << 20
# Activations of SAM's decoder, float32 numbers per prompt and token of the grid: measured as 2,100 to 2,400.
DECODER_NUMBERS_PER_TOKEN = 2500


class PromptDecoder:
    """Predicts with prompts on views of the current image; a view is encoded once, when a prompt needs it.

    Args:
        encoder: with an image set.
        multimask: see `Predictor.predict`.
        view: for all prompts; None: the whole image.
    """

    def __init__(self, encoder: PhotoEncoder, multimask: bool, view: View | None = None) -> None:
        self.encoder, self.multimask = encoder, multimask
        self.geometry = encoder.attachment.geometry
        self.height, self.width = encoder.original_size
        self.one_view = view or encoder.image.whole
        size = self.geometry.mask_size(*self.one_view.frame.padded)
        self.masks = MaskPrompts(self.geometry, [self.one_view], [size], alone=True)

    def predictions(self, prompts: CheckedPrompts) -> list[Prediction]:
        """One prediction per prompt."""
        views, predictions = self.choose(prompts)
        predictions = predictions | self.predict(prompts, views)
        return [predictions[index] for index in range(prompts.count)]

    def choose(self, prompts: CheckedPrompts) -> tuple[dict[int, View], dict[int, Prediction]]:
        """The view per prompt, by index; and the predictions that were made to choose a view."""
        return dict.fromkeys(range(prompts.count), self.one_view), {}

    def predict(
        self, prompts: CheckedPrompts, views: Mapping[int, View], multimask: bool | None = None
    ) -> dict[int, Prediction]:
        """Predictions with prompts on their views, by index."""
        return dict(zip(views, self.predict_on(prompts, list(views.items()), multimask), strict=True))

    def predict_on(
        self, prompts: CheckedPrompts, pairs: Sequence[tuple[int, View]], multimask: bool | None = None
    ) -> list[Prediction]:
        """One prediction per pair of a prompt's index and a view.

        Prompts that share a view are decoded together, and so are those on parts of one size, also of several levels.
        """
        predictions: dict[int, Prediction] = {}
        encoded = list(dict.fromkeys(view.encoded for _, view in pairs))
        for start in range(0, len(encoded), CACHED):  # encode at most as many ahead as are cached
            some = encoded[start : start + CACHED]
            self.encoder.encode(some)
            groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
            for place, (index, view) in enumerate(pairs):
                if view.encoded in some:
                    shared = None if view.level else view
                    groups[shared, view.frame.padded, len(points_in(prompts, index, view))].append(place)
            for places in groups.values():
                indices, views = zip(*(pairs[place] for place in places), strict=True)
                made = self.decode(views, self.tensors(prompts, indices, views), multimask)
                predictions |= dict(zip(places, made, strict=True))
        return [predictions[place] for place in range(len(pairs))]

    @torch.no_grad()
    def decode(self, views: Sequence[View], prompts: PromptTensors, multimask: bool | None = None) -> list[Prediction]:
        """Predictions with K prompts on one view per prompt, in pixels of its resized frame: on the same view, or on parts of
        equal size. Masks are upscaled on demand."""
        predictions: dict[int, Prediction] = {}
        order = torch.arange(len(prompts))
        for part, some in batches(prompts, prompts_at_once(views[0].tokens(self.geometry))):
            places = order[part].tolist()
            low, scores, present = self.low_res([views[place] for place in places], some, multimask)
            ious = scores.float().cpu().numpy()
            for index, place in enumerate(places):
                sure = None if present is None else present[index].float()
                predictions[place] = Prediction(
                    views[place], ious[index], low[index].float(), self.encoder.mask_threshold, sure
                )
        return [predictions[place] for place in order.tolist()]

    @torch.no_grad()
    def low_res(
        self, views: Sequence[View], prompts: PromptTensors, multimask: bool | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """For K prompts on such views: low-resolution logits `(K, M, h, w)` of the padded frame, predicted IoU `(K, M)`, and
        the confidence that there is an object `(K,)`, None if the model does not predict it."""
        encoder, multimask = self.encoder, self.multimask if multimask is None else multimask
        family, model = encoder.family, encoder.model
        parts = {view: self.part(view) if view.level else encoder.features_of(view) for view in dict.fromkeys(views)}
        with encoder.in_force_for(views[0]):
            if len(parts) == 1:
                return family.decode_scored(model, parts[views[0]], prompts, multimask=multimask)
            return family.decode_each(model, joined([parts[view] for view in views]), prompts, multimask=multimask)

    def part(self, view: View) -> Any:
        """The features of a part of a level's embedding, in the decoder's dtype."""
        (top, left), (height, width) = view.corner, view.grid(self.geometry)
        features = self.encoder.features_of(view.encoded)
        part = self.encoder.family.crop(features, slice(top, top + height), slice(left, left + width))
        dtype = next(self.encoder.model.get_submodule("mask_decoder").parameters()).dtype
        return tree_map_only(Tensor, lambda tensor: tensor.to(dtype), part)

    def tensors(self, prompts: CheckedPrompts, indices: Sequence[int], views: Sequence[View]) -> PromptTensors:
        """Prompts in pixels of their view's resized frame; all have the same number of points in it."""
        points = labels = boxes = masks = None
        pairs = list(zip(indices, views, strict=True))
        seen = [points_in(prompts, index, view) for index, view in pairs]
        if prompts.points is not None and prompts.labels is not None and len(seen[0]):
            coords = [
                view.frame.points_in(prompts.points[index][some] - view.shift)
                for (index, view), some in zip(pairs, seen, strict=True)
            ]
            marks = np.stack([prompts.labels[index][some] for index, some in zip(indices, seen, strict=True)])
            points, labels = self.tensor(np.stack(coords)), torch.from_numpy(marks).to(self.encoder.device)
        if prompts.boxes is not None:
            own = [view.frame.boxes_in(prompts.boxes[index] - np.tile(view.shift, 2)) for index, view in pairs]
            boxes = self.tensor(np.stack(own))
        if prompts.masks is not None:
            masks = self.tensor(np.stack([self.masks.in_view(prompts, index, view) for index, view in pairs]))
        return PromptTensors(points, labels, boxes, masks)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.encoder.device, torch.float32)


def joined(features: Sequence[Any]) -> Any:
    """Features of several images as those of a batch."""
    return tree_map(lambda *one: torch.cat(one) if isinstance(one[0], Tensor) else one[0], *features)


def points_in(prompts: CheckedPrompts, index: int, view: View) -> NDArray[np.int64]:
    """Indices of a prompt's points that are in a view; others are ignored there."""
    if prompts.points is None or prompts.labels is None:
        return np.zeros(0, dtype=np.int64)
    points, labels = prompts.points[index] - view.shift, prompts.labels[index]
    height, width = view.frame.original
    inside = (points >= 0).all(-1) & (points[:, 0] <= width) & (points[:, 1] <= height)
    return np.flatnonzero((inside & (labels >= 0)) | (labels == META_PADDING))  # Meta's padding belongs to every view


def prompts_at_once(tokens: int) -> int:
    """The number of prompts on a view of `tokens` tokens whose decoder activations fit `BATCH_BYTES`."""
    return max(1, BATCH_BYTES // (4 * DECODER_NUMBERS_PER_TOKEN * tokens))
