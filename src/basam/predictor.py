"""An image and prompts -> masks at the image's own size. The interface is that of Meta's SamPredictor."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from basam.attaching import attach, attachment_of
from basam.families import family_of
from basam.families.base import Attachment, Family
from basam.images import ImageLike, read_image
from basam.method import BiasMode
from basam.models import load
from basam.prompts import Prompts, check_prompts
from basam.resize import Frame

# Work of one chunk of prompts: decoder activations and upsampled logits.
CHUNK_BYTES = 512 << 20
# Measured activations of SAM's decoder: float32 numbers a prompt and token of the grid.
DECODER_NUMBERS_PER_TOKEN = 6000

Masks = tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]


class Predictor:
    """Encodes an image once, then answers any number of prompts.

    Args:
        model: a SAM of a known family; attached here if it is not yet.
        mode: the correction. None: the one that the model is attached with, or `BiasMode()`.
        max_side: longest side in pixels that an image keeps when no `long_side` is asked for; larger ones are reduced,
            with a warning. Time of global attention grows with the fourth power of the side.

    Raises:
        UnsupportedModelError: `model` is of no known family.
    """

    mask_threshold: float = 0.0

    def __init__(self, model: nn.Module, mode: BiasMode | None = None, *, max_side: int = 4096) -> None:
        self.family: Family = family_of(model)
        if mode is not None or attachment_of(model) is None:
            attach(model, mode)
        if max_side < 1:
            raise ValueError(f"max_side={max_side}: at least one pixel is needed")
        self.model = model
        self.max_side = max_side
        self.frame: Frame | None = None
        self.features: Any = None

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = "nano",
        mode: BiasMode | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        max_side: int = 4096,
    ) -> Predictor:
        """A predictor on `basam.load(name, dtype=dtype, device=device)`."""
        return cls(load(name, dtype=dtype, device=device), mode, max_side=max_side)

    @property
    def attachment(self) -> Attachment:
        attachment = attachment_of(self.model)
        if attachment is None:
            raise RuntimeError("the model of this predictor was detached: attach it again or make a new Predictor")
        return attachment

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def is_image_set(self) -> bool:
        return self.frame is not None

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
            image: a path, a PIL image or an `(H, W, 3)` uint8 array.
            image_format: `RGB`, or `BGR` for arrays as OpenCV reads them.
            long_side: resize so that the long side has this many pixels. None: the image's own size, up to `max_side`.
            square: pad to a square as in SAM's training, instead of to a multiple of the patch only.

        Raises:
            ImageError, FileNotFoundError: the file cannot be read.
            ValueError: an array of the wrong kind, or an image smaller than a patch.
        """
        if image_format not in ("RGB", "BGR"):
            raise ValueError(f"image_format={image_format!r}: allowed are 'RGB' and 'BGR'")
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
            raise ValueError(
                f"a long side of {long_side} px is smaller than a patch ({geometry.patch} px): give a larger image or long_side"
            )
        frame = Frame.fit(height, width, long_side, geometry.patch, square)
        # The image at hand is forgotten only once the new one is encoded.
        encoder = next(self.family.encoder(self.model).parameters())
        normalised = frame.image_in(pixels, self.family.mean, self.family.std)
        self.features = self.family.encode(self.model, normalised.to(encoder.device, encoder.dtype))
        self.frame = frame

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
            multimask_output: three masks a prompt, for ambiguous ones; otherwise one.
            return_logits: logits instead of booleans.

        Returns:
            masks `(M, H, W)` bool at the image's own size, predicted IoU `(M,)`, low-resolution logits `(M, h, w)`;
            each with K in front where the prompts came as a batch.

        Raises:
            RuntimeError: no image is set.
            ValueError: a prompt of the wrong shape, with NaN, outside the image or empty.
        """
        if self.frame is None:
            raise RuntimeError("no image is set: call set_image first")
        patch = self.attachment.geometry.patch
        mask_size = (4 * self.frame.padded[0] // patch, 4 * self.frame.padded[1] // patch)
        prompts = check_prompts(*self.frame.original, mask_size, point_coords, point_labels, box, mask_input)
        pieces = self.decode(prompts, multimask_output)
        masks: NDArray[Any] | None = None
        scores: list[Tensor] = []
        low_res: list[Tensor] = []
        done = 0
        for low, score in pieces:
            full = self.frame.masks_out(low)
            values = full if return_logits else full > self.mask_threshold
            if masks is None:
                masks = np.empty((prompts.count, *values.shape[1:]), np.float32 if return_logits else np.bool_)
            masks[done : done + len(low)] = values.cpu().numpy()
            done += len(low)
            scores.append(score.cpu())
            low_res.append(low.cpu())
        assert masks is not None
        result = masks, torch.cat(scores).numpy(), torch.cat(low_res).numpy()
        return (result[0][0], result[1][0], result[2][0]) if prompts.single else result

    @torch.no_grad()
    def decode(self, prompts: Prompts, multimask: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """Low-resolution logits `(k, M, h, w)` and scores `(k, M)` of the prompts, some at a time."""
        assert self.frame is not None
        patch = self.attachment.geometry.patch
        tokens = self.frame.padded[0] * self.frame.padded[1] // patch**2
        height, width = self.frame.original
        pixels = max(height * width, self.frame.padded[0] * self.frame.padded[1])
        bytes_each = 4 * (DECODER_NUMBERS_PER_TOKEN * tokens + 2 * (3 if multimask else 1) * pixels)
        step = max(1, CHUNK_BYTES // bytes_each)
        for start in range(0, prompts.count, step):
            part = slice(start, start + step)
            points = None if prompts.points is None else self.tensor(self.frame.points_in(prompts.points[part]))
            boxes = None if prompts.boxes is None else self.tensor(self.frame.boxes_in(prompts.boxes[part]))
            labels = None if prompts.labels is None else torch.from_numpy(prompts.labels[part]).to(self.device)
            masks = None if prompts.masks is None else self.tensor(prompts.masks[part])
            low, score = self.family.decode(
                self.model, self.features, points=points, labels=labels, boxes=boxes, masks=masks, multimask=multimask
            )
            yield low.float(), score.float()

    def tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device, torch.float32)
