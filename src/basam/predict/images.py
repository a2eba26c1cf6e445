"""The part of a predictor that takes images: reads them, decides at what size they are encoded, and keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from basam.checks import Count, checked
from basam.errors import InputError
from basam.files import MAX_PIXELS, ImageLike, pixels_of
from basam.method import BiasMode
from basam.predict.checked import checked_shape, checked_size, whole
from basam.predict.engine import Engine
from basam.predict.resize import Frame, Transform
from basam.predict.sizes import MAX_SIDE, MOST_ENCODED
from basam.predict.views import KeptImage, View


class ImageTaker(Engine):
    """An engine that is given images as Meta's predictors are. Arguments and attributes: see `Predictor`."""

    def __init__(self, model: nn.Module, mode: BiasMode | None = None, max_side: int = MAX_SIDE) -> None:
        super().__init__(model, mode)
        self.max_side = whole("max_side", max_side)
        self.views: list[View] = []

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
        """Forget the image, or the images."""
        self.picture, self.views, self.pictures = None, [], []

    reset_predictor = reset_image

    @checked
    def set_image(
        self,
        image: ImageLike,
        image_format: str = "RGB",
        *,
        long_side: int | None = None,
        square: bool = False,
        max_pixels: Count | None = MAX_PIXELS,
    ) -> None:
        """Read an image; prompts follow with `predict`, and the first one that needs the whole image encodes it.

        Args:
            image: what `basam.files.read_image` takes: a path, a PIL image, or an array or tensor, which may be `(H, W)` grey,
                `(H, W, C)` or, with channels first, `(C, H, W)`, C being 1, 3 or 4; uint8, or floats from 0 to 1. No batch.
            image_format: `RGB`, or `BGR` for arrays as OpenCV reads them.
            long_side: resize so that the long side has this many pixels. None: the image's own size, up to `max_side`.
            square: make it a square as in training (padded for SAM 1, squashed for SAM 2), not just what the grid needs.
            max_pixels: files of more are refused; None: none is.

        Raises:
            ImageError, FileNotFoundError, ValueError: it cannot be read, is of the wrong kind or smaller than a patch.
        """
        self.take(self.kept(image, image_format, long_side, square, max_pixels))
        self.pictures = []

    def kept(
        self, image: ImageLike, image_format: str, long_side: int | None, square: bool, max_pixels: int | None
    ) -> KeptImage:
        """An image with the sizes that it is to be encoded at; see `set_image`."""
        if image_format not in ("RGB", "BGR"):
            raise InputError(f"image_format={image_format!r}: allowed are 'RGB' and 'BGR'")
        pixels, (height, width) = pixels_of(image, max_pixels=max_pixels)
        if image_format == "BGR":
            pixels = pixels[..., ::-1]
        frame = self.frame_of(height, width, long_side, square)
        note = ""
        if long_side is None and self.max_side < max(height, width):
            note = f"an image of {width} x {height} px is reduced to a long side of {self.max_side} px (max_side)"
        # A copy: the caller's array may change before a prompt needs it.
        return KeptImage(View(frame), np.array(pixels), note)

    def frame_of(self, height: int, width: int, long_side: int | None, square: bool) -> Frame:
        """Sizes of an image of height x width px as `set_image` would take it; raises what it would."""
        geometry = self.attachment.geometry
        if long_side is None:
            long_side = min(max(height, width), self.max_side)
        long_side = whole("long_side", long_side)
        if long_side < geometry.patch or min(height, width) < 1:
            raise InputError(
                f"a long side of {long_side} px is smaller than a patch ({geometry.patch} px): give a larger image, or one of "
                f"{geometry.patch} px or more to enlarge it to"
            )
        frame = Frame.of_model(geometry, height, width, long_side, square)
        if frame.padded[0] * frame.padded[1] > MOST_ENCODED:
            raise InputError(
                f"a long side of {long_side} px makes {frame.padded[1]} x {frame.padded[0]} px, more than the {MOST_ENCODED} "
                "that are encoded at once: give a smaller one, or prompts with focus"
            )
        return frame

    @checked
    def set_image_batch(
        self,
        images: Sequence[ImageLike],
        image_format: str = "RGB",
        *,
        long_side: int | None = None,
        square: bool = False,
        max_pixels: Count | None = MAX_PIXELS,
    ) -> None:
        """Read several images; `predict_batch` follows, which encodes those of one size together. As `set_image`.

        `predict` uses the first one next.

        Raises:
            ValueError: there is none.
        """
        pictures = [self.kept(image, image_format, long_side, square, max_pixels) for image in images]
        if not pictures:
            raise InputError("set_image_batch got an empty list: give one image at least")
        self.take(pictures[0])
        self.pictures = pictures

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
        self.pictures = []

    def get_image_embedding(self) -> Tensor:
        """The embedding of the image at hand, `(1, C, H, W)` for a grid of H x W patches.

        Raises:
            RuntimeError: no image is set.
        """
        return self.family.embedding(self.features)
