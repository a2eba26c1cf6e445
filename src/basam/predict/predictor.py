"""An image and prompts -> masks at the image's own size. The interface is that of Meta's SamPredictor."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from basam.errors import InputError, OrderError
from basam.families import Attachment, Family, PromptTensors, family_of
from basam.files import ImageLike, read_image
from basam.method import BiasMode
from basam.model import attach, attachment_of, check_mode, load, own_attachment
from basam.predict.chunks import prompts_at_once
from basam.predict.prompts import MAX_SIDE, check_prompts
from basam.predict.resize import Frame, Transform

Masks = tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]


class Predictor:
    """Encodes an image once, then answers any number of prompts.

    Several predictors may share a model, each with its own mode and image, also from several threads (one predictor a
    thread).

    Args:
        model: a SAM of a known family; attached here if it is not yet.
        mode: the correction of this predictor, whatever other predictors of the model have. None: the one that the model is
            attached with now, else the model's own, else `BiasMode()`; see `basam.attach`.
        max_side: longest side in pixels that an image keeps when no `long_side` is given; larger ones are reduced,
            with a warning. Time of global attention grows with the fourth power of the side.

    Raises:
        UnsupportedModelError: `model` is of no known family, or an image encoder alone.
    """

    mask_threshold: float = 0.0

    def __init__(self, model: nn.Module, mode: BiasMode | None = None, *, max_side: int = MAX_SIDE) -> None:
        self.family: Family = family_of(model)
        self.family.check_whole(model)
        if max_side < 1:
            raise InputError(f"max_side={max_side}: at least one pixel is needed")
        if attachment_of(model) is None:
            attach(model, mode)
        self.model = model
        self.max_side = max_side
        self.frame: Frame | None = None
        self.features: Any = None
        self.object_scores: Tensor | None = None  # (K,) 0 to 1, that the last prompts show an object; SAM 1 does not say
        own = own_attachment(model)
        self.mode = own.mode if mode is None else mode

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
    def mode(self) -> BiasMode:
        """This predictor's correction, whatever the model and other predictors of it have. It may be set."""
        return self.attachment.mode

    @mode.setter
    def mode(self, mode: BiasMode) -> None:
        own = own_attachment(self.model)
        check_mode(mode, own.learned, own.geometry)
        self._attachment = own.for_predictor(mode)

    @property
    def attachment(self) -> Attachment:
        """What is in force during this predictor's calls: mode, and the grid of the image at hand.

        Raises:
            RuntimeError: the model was detached.
        """
        own = own_attachment(self.model)
        if self._attachment.model_own is not own:  # detached and attached again since
            self.mode = self._attachment.mode
        return self._attachment

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def is_image_set(self) -> bool:
        return self.frame is not None

    @property
    def image_frame(self) -> Frame:
        """Sizes of the image at hand: its own, resized, padded."""
        if self.frame is None:
            raise OrderError("no image is set: call set_image first")
        return self.frame

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
        self.frame, self.features = None, None

    reset_predictor = reset_image

    @torch.no_grad()
    def set_image(
        self, image: ImageLike, image_format: str = "RGB", *, long_side: int | None = None, square: bool = False
    ) -> None:
        """Read and encode an image; prompts follow with `predict`.

        Args:
            image: a path, a PIL image, or an array or tensor: `(H, W, 3)` uint8, or as `basam.files.read_image` takes them.
            image_format: `RGB`, or `BGR` for arrays as OpenCV reads them.
            long_side: resize so that the long side has this many pixels. None: the image's own size, up to `max_side`.
            square: make it a square as in training (padded for SAM 1, squashed for SAM 2), not just what the grid needs.

        Raises:
            ImageError, FileNotFoundError: the file cannot be read.
            ValueError: an array of the wrong kind, or an image smaller than a patch.
        """
        if image_format not in ("RGB", "BGR"):
            raise InputError(f"image_format={image_format!r}: allowed are 'RGB' and 'BGR'")
        pixels = read_image(image)
        if image_format == "BGR":
            pixels = pixels[..., ::-1]
        height, width = pixels.shape[:2]
        geometry = self.attachment.geometry
        if long_side is None:
            long_side = max(height, width)
            if long_side > self.max_side:
                warnings.warn(
                    f"an image of {width} x {height} px is reduced to a long side of {self.max_side} px (max_side)",
                    stacklevel=2,
                )
                long_side = self.max_side
        if long_side < geometry.patch or min(height, width) < 1:
            raise InputError(
                f"a long side of {long_side} px is smaller than a patch ({geometry.patch} px): give a larger image or long_side"
            )
        frame = Frame.of_model(geometry, height, width, long_side, square)
        self.encode(frame.image_in(pixels, self.family.mean, self.family.std), frame)

    @torch.no_grad()
    def set_torch_image(self, transformed_image: Tensor, original_image_size: tuple[int, int]) -> None:
        """Encode an image that was resized already, as Meta's predictor takes it; any size will do here.

        Args:
            transformed_image: `(1, 3, height, width)` RGB from 0 to 255, resized but neither normalised nor padded.
            original_image_size: height and width of the image that prompts and masks belong to.

        Raises:
            ValueError: another shape, or smaller than a patch.
        """
        shape, patch = tuple(transformed_image.shape), self.attachment.geometry.patch
        if len(shape) != 4 or shape[:2] != (1, 3) or max(shape[2:]) < patch or min(shape[2:]) < 1:
            raise InputError(f"transformed_image of shape {shape}: (1, 3, height, width) is needed, with a side of {patch} px")
        multiple = self.attachment.geometry.multiple
        padded = Frame.fit(shape[2], shape[3], max(shape[2:]), multiple, False).padded
        frame = Frame((int(original_image_size[0]), int(original_image_size[1])), (shape[2], shape[3]), padded)
        self.encode(frame.normalised(transformed_image.float(), self.family.mean, self.family.std), frame)

    def encode(self, pixels: Tensor, frame: Frame) -> None:
        """Encode normalised, padded `pixels`; the image at hand is forgotten only once this one is encoded."""
        encoder = next(self.family.encoder(self.model).parameters())
        with self.attachment.in_force():
            features = self.family.encode(self.model, pixels.to(encoder.device, encoder.dtype))
        self.features, self.frame = features, frame

    def get_image_embedding(self) -> Tensor:
        """The embedding of the image at hand, `(1, C, H, W)` for a grid of H x W patches.

        Raises:
            RuntimeError: no image is set.
        """
        _ = self.image_frame
        return self.family.embedding(self.features)

    def predict(
        self,
        point_coords: Any = None,
        point_labels: Any = None,
        box: Any = None,
        mask_input: Any = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> Masks:
        """Masks of one prompt or of K prompts on the image at hand.

        Args:
            point_coords: `(P, 2)` x, y in pixels of the image, or `(K, P, 2)`.
            point_labels: `(P,)` or `(K, P)`: 1 inside the object, 0 outside.
            box: `(4,)` x0, y0, x1, y1 in pixels of the image, or `(K, 4)`.
            mask_input: `(1, h, w)` or `(K, 1, h, w)` logits that an earlier call returned as `low_res`.
            multimask_output: three masks per prompt, for ambiguous ones; otherwise one.
            return_logits: logits instead of booleans.

        Returns:
            masks `(M, H, W)` bool at the image's own size, predicted IoU `(M,)`, low-resolution logits `(M, h, w)`;
            each with K in front where the prompts came as a batch.

        Raises:
            RuntimeError: no image is set.
            ValueError: a prompt of the wrong shape, with NaN, outside the image or empty.
        """
        frame = self.image_frame
        mask_size = self.attachment.geometry.mask_size(*frame.padded)
        prompts = check_prompts(*frame.original, mask_size, point_coords, point_labels, box, mask_input)
        points = None if prompts.points is None else self.tensor(frame.points_in(prompts.points))
        boxes = None if prompts.boxes is None else self.tensor(frame.boxes_in(prompts.boxes))
        labels = None if prompts.labels is None else torch.from_numpy(prompts.labels).to(self.device)
        mask_inputs = None if prompts.masks is None else self.tensor(prompts.masks)
        outputs = self.predict_torch(points, labels, boxes, mask_inputs, multimask_output, return_logits)
        masks, scores, low_res = (output.cpu().numpy() for output in outputs)
        return (masks[0], scores[0], low_res[0]) if prompts.single else (masks, scores, low_res)

    @torch.no_grad()
    def predict_torch(
        self,
        point_coords: Tensor | None = None,
        point_labels: Tensor | None = None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`predict` on tensors that are not checked, with coordinates in pixels of the resized image (see `transform`).

        Args:
            point_coords, point_labels, boxes, mask_input: `(K, P, 2)`, `(K, P)`, `(K, 4)`, `(K, 1, h, w)`.

        Returns:
            masks `(K, M, H, W)`, predicted IoU `(K, M)`, low-resolution logits `(K, M, h, w)`; masks on the CPU, since K
            of them may be large, the others on the device.

        Raises:
            RuntimeError: no image is set.
            ValueError: no prompt is given.
        """
        frame = self.image_frame
        if point_coords is None and boxes is None and mask_input is None:
            raise InputError("no prompt: give point_coords with point_labels, boxes or mask_input")
        prompts = PromptTensors(point_coords, point_labels, boxes, mask_input)
        count = len(prompts)
        step = prompts_at_once(frame, self.attachment.geometry.patch, 3 if multimask_output else 1)
        # Filled piece by piece: gathering pieces in a list would hold everything twice.
        masks = scores = low_res = torch.empty(0)
        present: list[Tensor] = []
        for start in range(0, count, step):
            part = slice(start, start + step)
            with self.attachment.in_force():
                low, score, sure = self.family.decode_scored(
                    self.model, self.features, prompts[part], multimask=multimask_output
                )
            full = frame.masks_out(low.float())
            values = full if return_logits else full > self.mask_threshold
            if start == 0:
                masks = torch.empty((count, *values.shape[1:]), dtype=values.dtype)
                scores = score.new_empty((count, *score.shape[1:]), dtype=torch.float32)
                low_res = low.new_empty((count, *low.shape[1:]), dtype=torch.float32)
            masks[part], scores[part], low_res[part] = values.cpu(), score, low
            present += [] if sure is None else [sure.float()]
        self.object_scores = torch.cat(present) if present else None
        return masks, scores, low_res

    def tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device, torch.float32)
