"""An image and prompts -> masks at native resolution. The interface is that of Meta's SamPredictor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from basam.checks import truth_value
from basam.errors import InputError, OrderError
from basam.method import BiasMode
from basam.model import load, own_section
from basam.predict.batching import Points, check_tensors
from basam.predict.decoding import PromptDecoder
from basam.predict.focus import Focus
from basam.predict.focusing import FocusDecoder
from basam.predict.photo_encoder import PhotoEncoder
from basam.predict.predictions import Prediction, stacked_low_res, whole_masks
from basam.predict.prompts import check_prompts, in_pixels
from basam.predict.pyramid import PyramidDecoder
from basam.predict.regions import Region
from basam.predict.sizes import MAX_SIDE
from basam.predict.views import View

Masks = tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]


class Predictor(PhotoEncoder):
    """Predicts masks with any number of prompts on an image; a view of it is encoded once, when a prompt needs it.

    Several predictors may share a model, every one with its own mode and image, also from several threads (one predictor per
    thread).

    Args:
        model: a SAM of a known family; attached here if it is not yet.
        mode: this predictor's correction, independent of other predictors of the model. None: the mode the model is attached
            with now, else the model's own, else `BiasMode()`; see `basam.attach`.
        max_side: longest side in pixels for images without `long_side`; the whole of a larger image is downscaled, with a
            warning when it is encoded. Time of global attention grows with the fourth power of the side.

    Attributes:
        focus: settings used by `predict(focus=True)`: those of the model's mode file, else
            `Focus()`.
        object_scores: `(K,)` from 0 to 1, confidence that the last prompts show an object; None: not predicted (SAM 1).
        views: the view that every prompt of the last `predict` was predicted on; see `basam.predict.View`.

    Raises:
        UnsupportedModelError: `model` is of no known family, or an image encoder alone.
    """

    def __init__(self, model: nn.Module, mode: BiasMode | None = None, *, max_side: int = MAX_SIDE) -> None:
        super().__init__(model, mode, max_side)
        self.focus = Focus.from_dict(own_section(model, "focus"))
        self.object_scores: Tensor | None = None

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = "nano",
        mode: BiasMode | None = None,
        *,
        adapter: str | Path | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        max_side: int = MAX_SIDE,
    ) -> Predictor:
        """A predictor on `basam.load(name, adapter=adapter, dtype=dtype, device=device)`; an adapter brings its own mode."""
        return cls(load(name, adapter=adapter, dtype=dtype, device=device), mode, max_side=max_side)

    def predict(
        self,
        point_coords: Any = None,
        point_labels: Any = None,
        box: Any = None,
        mask_input: Any = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        *,
        focus: bool | Focus | Region = False,
        level: int | None = None,
    ) -> Masks:
        """Masks of one prompt or of K prompts on the current image.

        Args:
            point_coords: `(P, 2)` x, y in pixels of the image, or `(K, P, 2)`, or a list of K with different P.
            point_labels: `(P,)` or `(K, P)`: 1 inside the object, 0 outside, -1 Meta's padding, -10 an absent point.
            box: `(4,)` x0, y0, x1, y1 in pixels of the image, or `(K, 4)`; cut to the image, with a warning.
            mask_input: `(1, h, w)` or `(K, 1, h, w)` logits that an earlier call returned as `low_res`. With focus: of the same
                focus beside the same point or box; or of the whole image, which without another prompt locates the object.
            multimask_output: three masks per prompt, for ambiguous ones; otherwise one.
            return_logits: logits instead of booleans.
            focus: encode the region around the object instead of the whole image. True: with this predictor's `focus`
                settings; a `Focus`: with these; a `Region`: this one for all prompts. `views` has what was encoded.
            level: of a pyramid, 0 is the finest; None: chosen per prompt.

        Returns:
            masks `(M, H, W)` bool at native resolution, predicted IoU `(M,)`, low-resolution logits `(M, h, w)` of the
            image or, with focus, of the region; with K in front if the prompts are a batch.

        Raises:
            RuntimeError: no image is set.
            ValueError: a prompt of the wrong shape, with NaN, outside the image or empty, or an unknown label.
        """
        predictions, single = self.predicted(point_coords, point_labels, box, mask_input, multimask_output, focus, level)
        masks, low_res = whole_masks(predictions, *self.original_size, return_logits), stacked_low_res(predictions)
        scores = np.stack([prediction.scores for prediction in predictions])
        return (masks[0], scores[0], low_res[0]) if single else (masks, scores, low_res)

    def predictions(
        self,
        point_coords: Any = None,
        point_labels: Any = None,
        box: Any = None,
        mask_input: Any = None,
        multimask_output: bool = True,
        *,
        focus: bool | Focus | Region = False,
        level: int | None = None,
        view: View | None = None,
    ) -> list[Prediction]:
        """`predict` without masks at native resolution: one prediction per prompt, whose masks are upscaled on demand.
        Arguments and errors: see `predict`.

        Args:
            view: the view of an earlier prediction on this image, for all prompts; a `mask_input` is of this view.
        """
        return self.predicted(point_coords, point_labels, box, mask_input, multimask_output, focus, level, view)[0]

    def predicted(
        self,
        points: Any,
        labels: Any,
        box: Any,
        masks: Any,
        multimask: bool,
        focus: bool | Focus | Region,
        level: int | None,
        view: View | None = None,
    ) -> tuple[list[Prediction], bool]:
        """One prediction per prompt, and whether the prompt is a single one instead of a batch."""
        truth_value(multimask, "multimask_output")
        if not isinstance(focus, (Focus, Region)):
            truth_value(focus, "focus")
        image = self.image
        if not focus and not image.levels and view is None:
            view = image.whole
        mask_size = None if view is None else self.attachment.geometry.mask_size(*view.frame.padded)
        prompts = check_prompts(*self.original_size, mask_size, points, labels, box, masks)
        if level is not None and (focus or not image.levels):
            raise InputError(
                f"level={level!r}: needs an image with levels, see set_image(pyramid=True); not possible with focus"
            )
        if view is not None:
            decoder = PromptDecoder(self, multimask, view)
        elif focus:
            region = focus if isinstance(focus, Region) else None
            decoder = FocusDecoder(self, focus if isinstance(focus, Focus) else self.focus, multimask, region)
        else:
            decoder = PyramidDecoder(self, self.focus, multimask, level)
        predictions = decoder.predictions(prompts)
        self.note(predictions)
        return predictions, prompts.single

    def note(self, predictions: Sequence[Prediction]) -> None:
        self.views = [prediction.view for prediction in predictions]
        present = [prediction.present for prediction in predictions if prediction.present is not None]
        self.object_scores = torch.stack(present) if present else None

    def predict_batch(
        self,
        point_coords_batch: Sequence[Any] | None = None,
        point_labels_batch: Sequence[Any] | None = None,
        box_batch: Sequence[Any] | None = None,
        mask_input_batch: Sequence[Any] | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        normalize_coords: bool = True,
        *,
        focus: bool | Focus = False,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """`predict` on every image of `set_image_batch`: arguments and results are lists with one entry per image.

        Without `normalize_coords`, SAM 2's name for it, points and boxes are in shares of the image, 0 to 1, not in pixels.

        Raises:
            RuntimeError: no batch of images is set.
            ValueError: a list of another length than the images, or a prompt as in `predict`, with the image's number.
        """
        if not self.pictures:
            raise OrderError("no batch of images is set: call set_image_batch first")
        given = (point_coords_batch, point_labels_batch, box_batch, mask_input_batch)
        names = ("point_coords_batch", "point_labels_batch", "box_batch", "mask_input_batch")
        for name, values in zip(names, given, strict=True):
            if values is not None and len(values) != len(self.pictures):
                raise InputError(f"{name} has {len(values)} entries for {len(self.pictures)} images: give one per image")
        if not focus:
            self.encode_views([(picture, picture.whole) for picture in self.pictures if not picture.levels])
        predictions = []
        try:
            for index, picture in enumerate(self.pictures):
                self.use(picture)
                coords, labels, box, mask = (None if values is None else values[index] for values in given)
                if not normalize_coords:
                    coords, box = (
                        None if values is None else in_pixels(values, *self.original_size) for values in (coords, box)
                    )
                try:
                    predictions.append(self.predict(coords, labels, box, mask, multimask_output, return_logits, focus=focus))
                except InputError as error:
                    raise InputError(f"image {index} of {len(self.pictures)}: {error}") from error
        finally:
            self.use(self.pictures[0])
        masks, scores, low_res = map(list, zip(*predictions, strict=True))
        return masks, scores, low_res

    def predict_torch(
        self,
        point_coords: Points = None,
        point_labels: Points = None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`predict` on tensors, with coordinates in pixels of the resized image (see `transform`).

        Args:
            point_coords, point_labels, boxes, mask_input: `(K, P, 2)`, `(K, P)`, `(K, 4)`, `(K, 1, h, w)`; the first two may
                be lists of K tensors.

        Returns:
            masks `(K, M, H, W)`, predicted IoU `(K, M)`, low-resolution logits `(K, M, h, w)`; masks on the CPU, because they
            may be large, the others on the device.

        Raises:
            RuntimeError: no image is set.
            ValueError: no prompt, another shape or number of prompts, NaN or infinity, or an unknown label.
            TypeError: not a tensor, or complex or boolean numbers.
        """
        view = self.image.whole
        mask_size = self.attachment.geometry.mask_size(*view.frame.padded)
        prompts = check_tensors(point_coords, point_labels, boxes, mask_input, mask_size, self.device)
        predictions = PromptDecoder(self, multimask_output).decode([view] * len(prompts), prompts)
        self.note(predictions)
        masks = torch.from_numpy(whole_masks(predictions, *self.original_size, return_logits))
        scores = torch.from_numpy(np.stack([prediction.scores for prediction in predictions])).to(self.device)
        return masks, scores, torch.stack([prediction.low for prediction in predictions])
