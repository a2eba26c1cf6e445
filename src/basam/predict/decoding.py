"""Prompts on views of the image at hand -> predictions, through the mask decoder.

Which view a prompt takes is decided elsewhere: the whole image (`Predictor`) or the region that it is about (`focusing`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from basam.families import PromptTensors
from basam.predict.answers import Answer
from basam.predict.batching import batches
from basam.predict.mask_prompts import MaskPrompts
from basam.predict.photo_encoder import PhotoEncoder
from basam.predict.prompts import IGNORED, CheckedPrompts
from basam.predict.views import CACHED, View

# Memory of one batch of prompts in the decoder.
BATCH_BYTES = 512 << 20
# Activations of SAM's decoder, float32 numbers per prompt and token of the grid: 2,100 to 2,400 were measured.
DECODER_NUMBERS_PER_TOKEN = 2500


class PromptDecoder:
    """Predicts with prompts on views of the image at hand, each of which is encoded once, when a prompt needs it.

    Args:
        encoder: with an image.
        multimask: as for `Predictor.predict`.
    """

    def __init__(self, encoder: PhotoEncoder, multimask: bool) -> None:
        self.encoder, self.multimask = encoder, multimask
        self.geometry = encoder.attachment.geometry
        self.height, self.width = encoder.original_size
        self.masks = MaskPrompts(self.geometry, [encoder.image.whole])

    def predict(self, prompts: CheckedPrompts, views: Mapping[int, View], multimask: bool | None = None) -> dict[int, Answer]:
        """Predictions with prompts on their views, by index; prompts that share a view are decoded together."""
        by_view: dict[View, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, view in views.items():
            by_view[view][len(points_in(prompts, index, view))].append(index)
        answers: dict[int, Answer] = {}
        distinct = list(by_view)
        for start in range(0, len(distinct), CACHED):  # no more are encoded ahead than are cached
            some = distinct[start : start + CACHED]
            self.encoder.encode(some)
            for view in some:
                for indices in by_view[view].values():
                    tensors = self.tensors(prompts, indices, view)
                    made = self.decode(view, tensors, self.multimask if multimask is None else multimask)
                    answers |= dict(zip(indices, made, strict=True))
        return answers

    @torch.no_grad()
    def decode(self, view: View, prompts: PromptTensors, multimask: bool) -> list[Answer]:
        """Predictions with K prompts in pixels of the view's resized frame; masks are enlarged when they are wanted."""
        answers: dict[int, Answer] = {}
        order = torch.arange(len(prompts))
        for part, some in batches(prompts, prompts_at_once(view.tokens(self.geometry))):
            low, scores, present = self.low_res(view, some, multimask)
            ious = scores.float().cpu().numpy()
            for index, place in enumerate(order[part].tolist()):
                sure = None if present is None else present[index].float()
                answers[place] = Answer(view, ious[index], low[index].float(), self.encoder.mask_threshold, sure)
        return [answers[place] for place in order.tolist()]

    @torch.no_grad()
    def low_res(self, view: View, prompts: PromptTensors, multimask: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """Of K prompts: low-resolution logits `(K, M, h, w)` of the view's padded frame, predicted IoU `(K, M)`, and how sure
        the model is that there is an object, `(K,)`; None where it does not say."""
        encoder = self.encoder
        features = encoder.features_of(view)
        with encoder.in_force_for(view):
            return encoder.family.decode_scored(encoder.model, features, prompts, multimask=multimask)

    def tensors(self, prompts: CheckedPrompts, indices: Sequence[int], view: View) -> PromptTensors:
        """Prompts in pixels of the view's resized frame; all of them have as many points in the view."""
        frame, shift = view.frame, view.shift
        points = labels = boxes = masks = None
        seen = [points_in(prompts, index, view) for index in indices]
        if prompts.points is not None and prompts.labels is not None and len(seen[0]):
            coords = np.stack([prompts.points[index][part] for index, part in zip(indices, seen, strict=True)])
            marks = np.stack([prompts.labels[index][part] for index, part in zip(indices, seen, strict=True)])
            points, labels = self.tensor(frame.points_in(coords - shift)), torch.from_numpy(marks).to(self.encoder.device)
        if prompts.boxes is not None:
            boxes = self.tensor(frame.boxes_in(prompts.boxes[indices] - np.tile(shift, 2)))
        if prompts.masks is not None:
            masks = self.tensor(np.stack([self.masks.in_view(prompts, index, view) for index in indices]))
        return PromptTensors(points, labels, boxes, masks)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.encoder.device, torch.float32)


def points_in(prompts: CheckedPrompts, index: int, view: View) -> NDArray[np.int64]:
    """Which points of a prompt lie in a view; the others do not matter there."""
    if prompts.points is None or prompts.labels is None:
        return np.zeros(0, dtype=np.int64)
    points, labels = prompts.points[index] - view.shift, prompts.labels[index]
    height, width = view.frame.original
    inside = (points >= 0).all(-1) & (points[:, 0] <= width) & (points[:, 1] <= height)
    return np.flatnonzero((inside & (labels >= 0)) | (labels == IGNORED))  # Meta's padding belongs to every view


def prompts_at_once(tokens: int) -> int:
    """How many prompts on a view of so many tokens fit `BATCH_BYTES` with their activations in the decoder."""
    return max(1, BATCH_BYTES // (4 * DECODER_NUMBERS_PER_TOKEN * tokens))
