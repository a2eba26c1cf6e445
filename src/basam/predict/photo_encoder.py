"""The image side of Meta's predictors: set an image, encode its views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from basam.errors import InputError, OrderError, naming_memory, warn
from basam.files import MAX_PIXELS, ImageLike, pixels_of
from basam.method import BiasMode
from basam.predict.attached_model import AttachedModel
from basam.predict.batching import check_resized
from basam.predict.clock import DeviceClock
from basam.predict.levels import levels_of
from basam.predict.prompts import whole_pixels
from basam.predict.resize import Frame, Transform
from basam.predict.sizes import MAX_SIDE, MOST_ENCODED
from basam.predict.views import LoadedImage, View

# Most tokens of views that are encoded in one pass: four times SAM's training token count, sixteen times on an accelerator,
# which a single image does not fill.
TOKENS_AT_ONCE = 16384
TOKENS_AT_ONCE_ACCELERATOR = 65536


class PhotoEncoder(AttachedModel):
    """Encodes views of the current image, once per view. Arguments and attributes: see `Predictor`, which adds prompts."""

    def __init__(self, model: nn.Module, mode: BiasMode | None = None, max_side: int = MAX_SIDE) -> None:
        self.max_side = whole_pixels("max_side", max_side)
        self.picture: LoadedImage | None = None
        self.pictures: list[LoadedImage] = []  # of a batch; `picture` is the current one
        self.views: list[View] = []
        self.clock = DeviceClock()
        super().__init__(model, mode)

    @property
    def encode_seconds(self) -> float:
        """Seconds spent in the image encoder so far."""
        return self.clock.seconds

    def mode_changed(self) -> None:
        if self.picture is not None:
            for picture in (self.picture, *self.pictures):
                picture.encoded.clear()
            self.attachment.grid = self.picture.whole.grid(self.attachment.geometry)

    @property
    def is_local(self) -> bool:
        return self.picture is not None and len(self.picture.levels) > 1

    @property
    def image(self) -> LoadedImage:
        """The current image.

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
        """Sizes of the current image: native, resized, padded."""
        return self.image.whole.frame

    @property
    def original_size(self) -> tuple[int, int]:
        """Height and width of the current image."""
        return self.image_frame.original

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width after resizing."""
        return self.image_frame.resized

    @property
    def transform(self) -> Transform:
        """Scales coordinates for `predict_torch`, as Meta's predictor's `transform` does."""
        return Transform(max(self.input_size), self.image_frame)

    @property
    def features(self) -> Any:
        """The encoder's features of the whole image, as its family returns them; encoded now if they are not yet."""
        return self.features_of(self.image.whole)

    def get_image_embedding(self) -> Tensor:
        """The embedding of the current image, `(1, C, H, W)` for a grid of H x W patches.

        Raises:
            RuntimeError: no image is set.
        """
        return self.family.embedding(self.features)

    def set_image(
        self,
        image: ImageLike,
        image_format: str = "RGB",
        *,
        long_side: int | None = None,
        square: bool = False,
        max_pixels: int | None = MAX_PIXELS,
        pyramid: bool = False,
    ) -> None:
        """Read an image; prompts follow with `predict`, and the first one that needs the whole image encodes it.

        Args:
            image: see `basam.files.read_image`: a path, a PIL image, or an array or tensor, which may be `(H, W)` grey,
                `(H, W, C)` or, with channels first, `(C, H, W)`, C being 1, 3 or 4; uint8, or floats from 0 to 1. No batch.
            image_format: `RGB`, or `BGR` for arrays as OpenCV reads them.
            long_side: resize so that the long side has this many pixels. None: native resolution, up to `max_side`.
            square: make it a square as in training (padded for SAM 1, squashed for SAM 2), not just a multiple of the patch.
            max_pixels: files with more raise; None: no limit.
            pyramid: encode it once at several sizes, up to `long_side`, with global layers that attend to a neighborhood of
                the trained size. A prompt is then predicted on the part of the level on which its object has a good size.

        Raises:
            ImageError, FileNotFoundError, ValueError: it cannot be read, is of the wrong kind or smaller than a patch.
        """
        self.use(self.load(image, image_format, long_side, square, max_pixels, pyramid))
        self.pictures = []

    def set_image_batch(
        self,
        images: Sequence[ImageLike],
        image_format: str = "RGB",
        *,
        long_side: int | None = None,
        square: bool = False,
        max_pixels: int | None = MAX_PIXELS,
        pyramid: bool = False,
    ) -> None:
        """Read several images; `predict_batch` follows, and encodes those of one size in one pass. Arguments: see `set_image`.

        `predict` uses the first one next.

        Raises:
            ValueError: an empty list.
        """
        pictures = [self.load(image, image_format, long_side, square, max_pixels, pyramid) for image in images]
        if not pictures:
            raise InputError("set_image_batch got an empty list: give one image at least")
        self.use(pictures[0])
        self.pictures = pictures

    def set_torch_image(self, transformed_image: Tensor, original_image_size: tuple[int, int]) -> None:
        """Take an already resized image, as Meta's predictor does; any size is allowed here.

        Args:
            transformed_image: `(1, 3, height, width)` RGB from 0 to 255, resized but neither normalised nor padded.
            original_image_size: height and width of the image that prompts and masks belong to.

        Raises:
            ValueError: another shape, or smaller than a patch.
        """
        geometry = self.attachment.geometry
        resized, original = check_resized(transformed_image, original_image_size, geometry.patch)
        padded = Frame.fit(*resized, max(resized), geometry.multiple, False).padded
        self.use(LoadedImage(View(Frame(original, resized, padded)), transformed_image.clone()))
        self.pictures = []

    def load(
        self,
        image: ImageLike,
        image_format: str,
        long_side: int | None,
        square: bool,
        max_pixels: int | None,
        pyramid: bool = False,
    ) -> LoadedImage:
        """An image with the sizes at which it is encoded; see `Predictor.set_image`."""
        if image_format not in ("RGB", "BGR"):
            raise InputError(f"image_format={image_format!r}: allowed are 'RGB' and 'BGR'")
        if pyramid and square:
            raise InputError("pyramid and square: the levels of a pyramid are not padded to a square; give one of them")
        pixels, (height, width) = pixels_of(image, max_pixels=max_pixels)
        if image_format == "BGR":
            pixels = pixels[..., ::-1]
        if isinstance(image, (np.ndarray, Tensor)):
            pixels = np.array(pixels)  # the caller may change theirs before a prompt needs it
        frame = self.frame_of(height, width, long_side, square)
        note = ""
        if long_side is None and self.max_side < max(height, width):
            note = f"an image of {width} x {height} px is reduced to a long side of {self.max_side} px (max_side)"
        if not pyramid:
            return LoadedImage(View(frame), pixels, note)
        levels = levels_of(self.attachment.geometry, height, width, max(frame.resized))
        return LoadedImage(levels[-1], pixels, note, levels)

    def frame_of(self, height: int, width: int, long_side: int | None, square: bool) -> Frame:
        """Sizes of an image of height x width px as `set_image` would encode it; raises the same errors."""
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
        """Make an image the current one."""
        self.picture = image
        self.attachment.grid = image.whole.grid(self.attachment.geometry)

    def reset_image(self) -> None:
        """Forget the current image, or images."""
        self.picture, self.views, self.pictures = None, [], []

    reset_predictor = reset_image

    @contextmanager
    def in_force_for(self, view: View) -> Iterator[None]:
        """Activate the attachment with the grid of `view`; afterwards restore the grid of the whole image."""
        attachment = self.attachment
        attachment.grid = view.grid(attachment.geometry)
        try:
            with attachment.in_force():
                yield
        finally:
            attachment.grid = self.image.whole.grid(attachment.geometry)

    def encode(self, views: Sequence[View]) -> None:
        """Encode those of `views` of the current image that are not cached."""
        self.encode_views([(self.image, view) for view in views])

    def features_of(self, view: View) -> Any:
        """The features of a view; encoded now if they are not cached."""
        self.encode([view])
        return self.image.encoded[view]

    @torch.no_grad()
    def encode_views(self, views: Sequence[tuple[LoadedImage, View]]) -> None:
        """Encode views of images that are not cached; views of one size go through the encoder in one batch.

        Nothing waits for an accelerator: the next images are read and copied to it while it computes.
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
                of_view = tree_map_only(Tensor, Tensor.half, of_view)  # half the memory
            image.cache(view, of_view)
