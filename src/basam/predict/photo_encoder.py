"""A model with a mode of its own, the image that it is given, and the encoder passes over views of that image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from basam.errors import InputError, OrderError, naming_memory, warn
from basam.families import Attachment, Family, family_of
from basam.files import ImageLike, pixels_of
from basam.method import BiasMode
from basam.model import attach, attachment_of, check_mode, own_attachment
from basam.predict.clock import DeviceClock
from basam.predict.levels import levels_of
from basam.predict.prompts import whole_pixels
from basam.predict.resize import Frame, Transform
from basam.predict.sizes import MAX_SIDE, MOST_ENCODED
from basam.predict.views import LoadedImage, View

# Views of one size that are encoded together hold at most this many tokens: four times those of SAM's trained size, sixteen
# times on an accelerator, which a single image does not fill.
TOKENS_AT_ONCE = 16384
TOKENS_AT_ONCE_ACCELERATOR = 65536


class PhotoEncoder:
    """Encodes each view of the image at hand once. Arguments and attributes: see `Predictor`, which prompts it."""

    mask_threshold: float = 0.0

    def __init__(self, model: nn.Module, mode: BiasMode | None = None, max_side: int = MAX_SIDE) -> None:
        self.family: Family = family_of(model)
        self.family.check_whole(model)
        self.max_side = whole_pixels("max_side", max_side)
        if attachment_of(model) is None:
            attach(model, mode)
        self.model = model
        self.picture: LoadedImage | None = None
        self.pictures: list[LoadedImage] = []  # of a batch, of which `picture` is one
        self.views: list[View] = []
        self.clock = DeviceClock()
        self.mode = own_attachment(model).mode if mode is None else mode

    @property
    def mode(self) -> BiasMode:
        """This predictor's correction, whatever the model and other predictors of it have.

        It may be set; an image at hand is then encoded again when the next prompt needs it.
        """
        return self._attachment.mode

    @mode.setter
    def mode(self, mode: BiasMode) -> None:
        own = own_attachment(self.model)
        check_mode(mode, own.learned, own.geometry)
        self._attachment, self._local = own.for_predictor(mode), own.for_predictor(local(mode))
        if self.picture is not None:
            for picture in (self.picture, *self.pictures):
                picture.encoded.clear()
            self.attachment.grid = self.picture.whole.grid(own.geometry)

    @property
    def attachment(self) -> Attachment:
        """What is in force during this predictor's calls: the mode, with `reach="trained"` for a pyramid, and the grid of the
        image at hand.

        Raises:
            RuntimeError: the model was detached.
        """
        own = own_attachment(self.model)
        if self._attachment.model_own is not own:  # detached and attached again since
            self.mode = self._attachment.mode
        return self._local if self.picture is not None and self.picture.levels else self._attachment

    @property
    def encode_seconds(self) -> float:
        """Spent in the image encoder since the beginning."""
        return self.clock.seconds

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def image(self) -> LoadedImage:
        """The image at hand.

        Raises:
            RuntimeError: no image is set.
        """
        if self.picture is None:
            raise OrderError("no image is set: call set_image first")
        return self.picture

    @property
    def is_image_set(self) -> bool:
        return self.picture is not None

    @property
    def image_frame(self) -> Frame:
        """Sizes of the image at hand: its own, resized, padded."""
        return self.image.whole.frame

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

    @property
    def features(self) -> Any:
        """The encoder's features of the whole image, in the form that its family returns them; encoded if it is not yet."""
        return self.features_of(self.image.whole)

    def get_image_embedding(self) -> Tensor:
        """The embedding of the image at hand, `(1, C, H, W)` for a grid of H x W patches.

        Raises:
            RuntimeError: no image is set.
        """
        return self.family.embedding(self.features)

    def load(
        self,
        image: ImageLike,
        image_format: str,
        long_side: int | None,
        square: bool,
        max_pixels: int | None,
        pyramid: bool = False,
    ) -> LoadedImage:
        """An image with the sizes that it is encoded at; see `Predictor.set_image`."""
        if image_format not in ("RGB", "BGR"):
            raise InputError(f"image_format={image_format!r}: allowed are 'RGB' and 'BGR'")
        if pyramid and square:
            raise InputError("pyramid and square: the levels of a pyramid are not padded to a square; give one of them")
        pixels, (height, width) = pixels_of(image, max_pixels=max_pixels)
        if image_format == "BGR":
            pixels = pixels[..., ::-1]
        if isinstance(image, (np.ndarray, Tensor)):
            pixels = np.array(pixels)  # the caller's may change before a prompt needs it
        frame = self.frame_of(height, width, long_side, square)
        note = ""
        if long_side is None and self.max_side < max(height, width):
            note = f"an image of {width} x {height} px is reduced to a long side of {self.max_side} px (max_side)"
        if not pyramid:
            return LoadedImage(View(frame), pixels, note)
        levels = levels_of(self.attachment.geometry, height, width, max(frame.resized))
        return LoadedImage(levels[-1], pixels, note, levels)

    def frame_of(self, height: int, width: int, long_side: int | None, square: bool) -> Frame:
        """Sizes of an image of height x width px as `set_image` would encode it; raises what it would."""
        geometry = self.attachment.geometry
        if long_side is None:
            long_side = min(max(height, width), self.max_side)
        long_side = whole_pixels("long_side", long_side)
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

    def use(self, image: LoadedImage) -> None:
        """Make an image the one at hand."""
        self.picture = image
        self.attachment.grid = image.whole.grid(self.attachment.geometry)

    def reset_image(self) -> None:
        """Forget the image, or the images."""
        self.picture, self.views, self.pictures = None, [], []

    reset_predictor = reset_image

    @contextmanager
    def in_force_for(self, view: View) -> Iterator[None]:
        """The attachment is in force with the grid of `view`; afterwards it has that of the whole image again."""
        attachment = self.attachment
        attachment.grid = view.grid(attachment.geometry)
        try:
            with attachment.in_force():
                yield
        finally:
            attachment.grid = self.image.whole.grid(attachment.geometry)

    def encode(self, views: Sequence[View]) -> None:
        """Encode those of `views` of the image at hand that are not cached."""
        self.encode_views([(self.image, view) for view in views])

    def features_of(self, view: View) -> Any:
        """The features of a view; encoded now if they are not cached."""
        self.encode([view])
        return self.image.encoded[view]

    @torch.no_grad()
    def encode_views(self, views: Sequence[tuple[LoadedImage, View]]) -> None:
        """Encode views of images that are not cached; those of one size go through the encoder together.

        Nothing waits for an accelerator: the next images are read out and copied to it while it works.
        """
        most = TOKENS_AT_ONCE if self.device.type == "cpu" else TOKENS_AT_ONCE_ACCELERATOR
        missing = []
        for image, view in dict.fromkeys(views):
            if view in image.encoded:
                image.encoded.move_to_end(view)
                continue
            missing.append((image, view))
            if image.note and view == (image.levels or (image.whole,))[0]:
                warn(image.note)
        while missing:
            first = missing[0][1]
            count = max(1, most // first.tokens(self.attachment.geometry))
            same_size = [one for one in missing if one[1].frame.padded == first.frame.padded][:count]
            with self.clock.running(self.device):
                self.encode_together(same_size)
            missing = [one for one in missing if one not in same_size]

    def encode_together(self, views: Sequence[tuple[LoadedImage, View]]) -> None:
        encoder = next(self.family.encoder(self.model).parameters())
        first = views[0][1]
        pixels = torch.cat([image.pixels_of(view, self.family.mean, self.family.std, encoder.device) for image, view in views])
        with self.in_force_for(first), naming_memory(max(first.frame.resized)):
            features = self.family.encode(self.model, pixels.to(encoder.device, encoder.dtype))
        for index, (image, view) in enumerate(views):
            part = slice(index, index + 1)
            of_view = features if len(views) == 1 else tree_map_only(Tensor, lambda tensor: tensor[part], features)  # noqa: B023
            if view in image.levels and view != image.whole:
                of_view = tree_map_only(Tensor, Tensor.half, of_view)  # half the memory at the same IoU
            image.cache(view, of_view)


def local(mode: BiasMode) -> BiasMode:
    """A mode whose global layers attend to a neighborhood of the trained size."""
    changes: dict[str, Any] = {"reach": "trained"} if hasattr(mode, "reach") else {}
    return replace(mode, **changes)
