"""An image and prompts -> masks at the image's own size. The interface is that of Meta's SamPredictor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from basam.errors import InputError
from basam.families import PromptTensors
from basam.files import MAX_PIXELS, ImageLike, pixels_of
from basam.method import BiasMode
from basam.model import load, own_section
from basam.predict.answers import stacked_low_res, whole_masks
from basam.predict.batching import Points, check_tensors
from basam.predict.engine import Engine
from basam.predict.focus import Focus
from basam.predict.focusing import Focusing
from basam.predict.prompts import check_prompts
from basam.predict.regions import Region
from basam.predict.resize import Frame, Transform
from basam.predict.sizes import MAX_SIDE, MOST_ENCODED
from basam.predict.views import KeptImage, View

Masks = tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]


class Predictor(Engine):
    """Answers any number of prompts on an image, of which each part is encoded once, when a prompt needs it.

    Several predictors may share a model, each with its own mode and image, also from several threads (one predictor a
    thread).

    Args:
        model: a SAM of a known family; attached here if it is not yet.
        mode: the correction of this predictor, whatever other predictors of the model have. None: the one that the model is
            attached with now, else the model's own, else `BiasMode()`; see `basam.attach`.
        max_side: longest side in pixels that an image keeps when no `long_side` is given; the whole of a larger one is reduced,
            with a warning once it is encoded. Time of global attention grows with the fourth power of the side.

    Attributes:
        focus: how regions are chosen where `predict` is called with `focus=True`: as the model's own mode file says, else
            `Focus()`.
        object_scores: `(K,)` from 0 to 1, how sure the model is that the last prompts show an object; None: SAM 1 does not say.
        views: what each prompt of the last call of `predict` was answered on; see `basam.predict.View`.

    Raises:
        UnsupportedModelError: `model` is of no known family, or an image encoder alone.
    """

    def __init__(self, model: nn.Module, mode: BiasMode | None = None, *, max_side: int = MAX_SIDE) -> None:
        super().__init__(model, mode)
        self.max_side = whole("max_side", max_side)
        self.focus = Focus.from_dict(own_section(model, "focus"))
        self.views: list[View] = []
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

    @property
    def is_image_set(self) -> bool:
        return self.picture is not None

    @property
    def image_frame(self) -> Frame:
        """Sizes of the image at hand: its own, resized, padded."""
        return self.image.whole.frame

    @property
    def features(self) -> Any:
        """What the family's encoder makes of the whole image; encoded now if it was not yet."""
        return self.features_of(self.image.whole)

    @property
    def original_size(self) -> tuple[int, int]:
        """Height and width of the image at hand."""
        return self.image_frame.original

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width that it was resized to."""
        return self.image_frame.resized

    @property
    def transform(self) -> Transform:
        """Scales coordinates for `predict_torch`, as Meta's predictor's `transform` does."""
        return Transform(max(self.input_size), self.image_frame)

    def reset_image(self) -> None:
        """Forget the image."""
        self.picture, self.views = None, []

    reset_predictor = reset_image

    def set_image(
        self,
        image: ImageLike,
        image_format: str = "RGB",
        *,
        long_side: int | None = None,
        square: bool = False,
        max_pixels: int | None = MAX_PIXELS,
    ) -> None:
        """Read an image; prompts follow with `predict`, and the first one that needs the whole image encodes it.

        Args:
            image: what `basam.files.read_image` takes: a path, a PIL image, an array or tensor, `(H, W, 3)` uint8.
            image_format: `RGB`, or `BGR` for arrays as OpenCV reads them.
            long_side: resize so that the long side has this many pixels. None: the image's own size, up to `max_side`.
            square: make it a square as in training (padded for SAM 1, squashed for SAM 2), not just what the grid needs.
            max_pixels: files of more are refused; None: none is.

        Raises:
            ImageError, FileNotFoundError, ValueError: it cannot be read, is of the wrong kind or smaller than a patch.
        """
        if image_format not in ("RGB", "BGR"):
            raise InputError(f"image_format={image_format!r}: allowed are 'RGB' and 'BGR'")
        pixels, (height, width) = pixels_of(image, max_pixels=max_pixels)
        if image_format == "BGR":
            pixels = pixels[..., ::-1]
        geometry, note = self.attachment.geometry, ""
        if long_side is None:
            long_side = min(max(height, width), self.max_side)
            if long_side < max(height, width):
                note = f"an image of {width} x {height} px is reduced to a long side of {long_side} px (max_side)"
        long_side = whole("long_side", long_side)
        if long_side < geometry.patch or min(height, width) < 1:
            raise InputError(
                f"a long side of {long_side} px is smaller than a patch ({geometry.patch} px): give a larger image or long_side"
            )
        frame = Frame.of_model(geometry, height, width, long_side, square)
        if frame.padded[0] * frame.padded[1] > MOST_ENCODED:
            raise InputError(
                f"a long side of {long_side} px makes {frame.padded[1]} x {frame.padded[0]} px, more than the {MOST_ENCODED} "
                "that are encoded at once: give a smaller one, or prompts with focus"
            )
        # A copy: the caller's array may change before a prompt needs it.
        self.take(KeptImage(View(frame), np.array(pixels), note))

    def set_torch_image(self, transformed_image: Tensor, original_image_size: tuple[int, int]) -> None:
        """Take an image that was resized already, as Meta's predictor does; any size will do here.

        Args:
            transformed_image: `(1, 3, height, width)` RGB from 0 to 255, resized but neither normalised nor padded.
            original_image_size: height and width of the image that prompts and masks belong to.

        Raises:
            ValueError: another shape, or smaller than a patch.
        """
        patch = self.attachment.geometry.patch
        shape = checked_shape(transformed_image, patch)
        size = checked_size(original_image_size)
        multiple = self.attachment.geometry.multiple
        padded = Frame.fit(shape[2], shape[3], max(shape[2:]), multiple, False).padded
        frame = Frame(size, (shape[2], shape[3]), padded)
        self.take(KeptImage(View(frame), transformed_image.clone()))

    def get_image_embedding(self) -> Tensor:
        """The embedding of the image at hand, `(1, C, H, W)` for a grid of H x W patches.

        Raises:
            RuntimeError: no image is set.
        """
        return self.family.embedding(self.features)

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
    ) -> Masks:
        """Masks of one prompt or of K prompts on the image at hand.

        Args:
            point_coords: `(P, 2)` x, y in pixels of the image, or `(K, P, 2)`; a list of K with different P will do.
            point_labels: `(P,)` or `(K, P)`: 1 inside the object, 0 outside, -1 Meta's padding, -10 a point that is not there.
            box: `(4,)` x0, y0, x1, y1 in pixels of the image, or `(K, 4)`; cut to the image, with a warning.
            mask_input: `(1, h, w)` or `(K, 1, h, w)` logits that an earlier call returned as `low_res`, with the same focus.
            multimask_output: three masks per prompt, for ambiguous ones; otherwise one.
            return_logits: logits instead of booleans.
            focus: encode the region that each prompt is about instead of the whole image. True: as this predictor's
                `focus` says; a `Focus`: as it says; a `Region`: that one for all prompts. What was encoded stands in `views`.

        Returns:
            masks `(M, H, W)` bool at the image's own size, predicted IoU `(M,)`, low-resolution logits `(M, h, w)` of the
            image or, with focus, of the region; each with K in front where the prompts came as a batch.

        Raises:
            RuntimeError: no image is set.
            ValueError: a prompt of the wrong shape, with NaN, outside the image or empty, or an unknown label.
        """
        frame = self.image_frame
        mask_size = None if focus else self.attachment.geometry.mask_size(*frame.padded)
        prompts = check_prompts(*frame.original, mask_size, point_coords, point_labels, box, mask_input)
        if focus:
            settings = focus if isinstance(focus, Focus) else self.focus
            focusing = Focusing(self, settings, multimask_output, return_logits)
            answers = focusing.answer(prompts, focus if isinstance(focus, Region) else None)
            self.views = [answer.view for answer in answers]
            masks, low_res = whole_masks(answers, *frame.original), stacked_low_res(answers)
            scores = np.stack([answer.scores for answer in answers])
            present = [answer.present for answer in answers if answer.present is not None]
            self.object_scores = torch.stack(present) if present else None
        else:
            points = None if prompts.points is None else self.tensor(frame.points_in(prompts.points))
            boxes = None if prompts.boxes is None else self.tensor(frame.boxes_in(prompts.boxes))
            labels = None if prompts.labels is None else torch.from_numpy(prompts.labels).to(self.device)
            mask_inputs = None if prompts.masks is None else self.tensor(prompts.masks)
            outputs = self.predict_torch(points, labels, boxes, mask_inputs, multimask_output, return_logits)
            masks, scores, low_res = (output.cpu().numpy() for output in outputs)
            self.views = [self.image.whole] * prompts.count
        return (masks[0], scores[0], low_res[0]) if prompts.single else (masks, scores, low_res)

    def predict_torch(
        self,
        point_coords: Points = None,
        point_labels: Points = None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`predict` on tensors, with coordinates in pixels of the resized image (see `transform`). Only labels are checked.

        Args:
            point_coords, point_labels, boxes, mask_input: `(K, P, 2)`, `(K, P)`, `(K, 4)`, `(K, 1, h, w)`; the first two may
                be lists of K tensors.

        Returns:
            masks `(K, M, H, W)`, predicted IoU `(K, M)`, low-resolution logits `(K, M, h, w)`; masks on the CPU, since K
            of them may be large, the others on the device.

        Raises:
            RuntimeError: no image is set.
            ValueError: no prompt is given, or a label that there is not.
        """
        view = self.image.whole
        if point_coords is None and boxes is None and mask_input is None:
            raise InputError("no prompt: give point_coords with point_labels, boxes or mask_input")
        prompts = PromptTensors(*check_tensors(point_coords, point_labels), boxes, mask_input)
        decoded = self.decode(view, prompts, multimask=multimask_output, return_logits=return_logits)
        self.object_scores = decoded.objects
        return decoded.masks, decoded.scores, decoded.low_res


def whole(name: str, value: Any) -> int:
    """A number of pixels that was given.

    Raises:
        ValueError: naming it, where it is no whole number above 0.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: a whole number of pixels, at least one, is needed")
    return int(value)


def checked_size(size: Any) -> tuple[int, int]:
    """Height and width as a caller of Meta's interface gives them."""
    if not isinstance(size, Sequence) or len(size) != 2:
        raise InputError(f"original_image_size={size!r}: height and width in pixels are needed")
    return whole("original_image_size", size[0]), whole("original_image_size", size[1])


def checked_shape(pixels: Any, patch: int) -> tuple[int, ...]:
    """The shape of an image that was resized already; ValueError where it is none."""
    if not isinstance(pixels, Tensor):
        raise InputError(f"transformed_image is a {type(pixels).__name__}: a tensor is needed")
    shape = tuple(pixels.shape)
    if len(shape) != 4 or shape[:2] != (1, 3) or max(shape[2:]) < patch or min(shape[2:]) < 1:
        raise InputError(f"transformed_image of shape {shape}: (1, 3, height, width) is needed, with a side of {patch} px")
    if pixels.is_complex() or not bool(pixels.float().isfinite().all()):
        raise InputError(f"transformed_image of {pixels.dtype} holds NaN, infinity or complex numbers")
    return shape
