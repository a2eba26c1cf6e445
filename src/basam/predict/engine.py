"""A model with a mode of its own that encodes views of an image and decodes prompts on them.

`Predictor` is this with Meta's interface; every prompt on an image goes through here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from basam.errors import OrderError, naming_memory, warn
from basam.families import Attachment, Family, PromptTensors, family_of
from basam.method import BiasMode
from basam.model import attach, attachment_of, check_mode, own_attachment
from basam.predict.answers import Answer
from basam.predict.batching import batches
from basam.predict.clock import DeviceClock
from basam.predict.views import KeptImage, View

# Work of one chunk of prompts: decoder activations and upsampled logits.
CHUNK_BYTES = 512 << 20
# Activations of SAM's decoder, float32 numbers per prompt and token of the grid: 2,100 to 2,400 were measured.
DECODER_NUMBERS_PER_TOKEN = 2500
# Views of one size that are encoded together hold at most this many tokens: four times those of SAM's trained size, sixteen
# times on an accelerator, which a single image does not fill.
TOKENS_AT_ONCE = 16384
TOKENS_AT_ONCE_ACCELERATOR = 65536


class Decoded(NamedTuple):
    """Answers to K prompts on one view.

    Attributes:
        masks: `(K, M, height, width)` at the view's own size in the image, on the CPU since K of them may be large.
        scores: predicted IoU `(K, M)`; low_res: logits `(K, M, h, w)`; both on the device.
        objects: `(K,)` from 0 to 1, how sure the model is that there is an object; None: it does not say (SAM 1).
    """

    masks: Tensor
    scores: Tensor
    low_res: Tensor
    objects: Tensor | None


class Engine:
    """Encodes each view of the image at hand once, and answers prompts on it.

    Args:
        model: a SAM of a known family; attached here if it is not yet.
        mode: the correction; None: the one that the model is attached with now, else the model's own, else `BiasMode()`.

    Raises:
        UnsupportedModelError: `model` is of no known family, or an image encoder alone.
    """

    mask_threshold: float = 0.0

    def __init__(self, model: nn.Module, mode: BiasMode | None = None) -> None:
        self.family: Family = family_of(model)
        self.family.check_whole(model)
        if attachment_of(model) is None:
            attach(model, mode)
        self.model = model
        self.picture: KeptImage | None = None
        self.pictures: list[KeptImage] = []  # of a batch, of which `picture` is one
        self.clock = DeviceClock()
        self.mode = own_attachment(model).mode if mode is None else mode

    @property
    def mode(self) -> BiasMode:
        """This predictor's correction, whatever the model and other predictors of it have.

        It may be set; an image at hand is then encoded again when the next prompt needs it.
        """
        return self.attachment.mode

    @mode.setter
    def mode(self, mode: BiasMode) -> None:
        own = own_attachment(self.model)
        check_mode(mode, own.learned, own.geometry)
        self._attachment = own.for_predictor(mode)
        if self.picture is not None:
            for picture in (self.picture, *self.pictures):
                picture.encoded.clear()
            self._attachment.grid = self.picture.whole.grid(own.geometry)

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
    def encode_seconds(self) -> float:
        """Spent in the image encoder since the beginning."""
        return self.clock.seconds

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def image(self) -> KeptImage:
        """The image at hand.

        Raises:
            RuntimeError: no image is set.
        """
        if self.picture is None:
            raise OrderError("no image is set: call set_image first")
        return self.picture

    def take(self, picture: KeptImage) -> None:
        self.picture = picture
        self.attachment.grid = picture.whole.grid(self.attachment.geometry)

    @contextmanager
    def looking_at(self, view: View) -> Iterator[None]:
        """The attachment in force, with the grid of `view`; afterwards it has that of the whole image again."""
        attachment = self.attachment
        attachment.grid = view.grid(attachment.geometry)
        try:
            with attachment.in_force():
                yield
        finally:
            attachment.grid = self.image.whole.grid(attachment.geometry)

    def encode(self, views: Sequence[View]) -> None:
        """Encode those of `views` of the image at hand that are not encoded yet."""
        self.encode_of([(self.image, view) for view in views])

    @torch.no_grad()
    def encode_of(self, places: Sequence[tuple[KeptImage, View]]) -> None:
        """Encode views of images that are not encoded yet; those of one size go through the encoder together.

        Nothing waits for an accelerator: the next images are read out and copied to it while it works.
        """
        most = TOKENS_AT_ONCE if self.device.type == "cpu" else TOKENS_AT_ONCE_ACCELERATOR
        missing = [(image, view) for image, view in dict.fromkeys(places) if view not in image.encoded]
        for image, view in missing:
            if image.note and view == image.whole:
                warn(image.note)
        while missing:
            first = missing[0][1]
            count = max(1, most // first.tokens(self.attachment.geometry))
            alike = [place for place in missing if place[1].frame.padded == first.frame.padded][:count]
            with self.clock.running(self.device):
                self.encode_together(alike)
            missing = [place for place in missing if place not in alike]

    def encode_together(self, places: Sequence[tuple[KeptImage, View]]) -> None:
        encoder = next(self.family.encoder(self.model).parameters())
        first = places[0][1]
        seen = [image.seen(view, self.family.mean, self.family.std, encoder.device) for image, view in places]
        pixels = torch.cat(seen)
        with self.looking_at(first), naming_memory(max(first.frame.resized)):
            features = self.family.encode(self.model, pixels.to(encoder.device, encoder.dtype))
        for index, (image, view) in enumerate(places):
            part = slice(index, index + 1)
            of_view = features if len(places) == 1 else tree_map_only(Tensor, lambda each: each[part], features)  # noqa: B023
            image.keep(view, of_view)

    def features_of(self, view: View) -> Any:
        """What the family's encoder makes of a view; encoded now if it was not yet."""
        self.encode([view])
        return self.image.encoded[view]

    @torch.no_grad()
    def decode_small(self, view: View, prompts: PromptTensors, *, multimask: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """Of K prompts on a view: low-resolution logits `(K, M, h, w)` of its padded frame, predicted IoU `(K, M)`, and how
        sure the model is that there is an object, `(K,)`; None where it does not say."""
        features = self.features_of(view)
        with self.looking_at(view):
            return self.family.decode_scored(self.model, features, prompts, multimask=multimask)

    @torch.no_grad()
    def decode(self, view: View, prompts: PromptTensors, *, multimask: bool, return_logits: bool) -> Decoded:
        """Masks of K prompts on one view, in pixels of its resized frame."""
        count = len(prompts)
        step = self.prompts_at_once(view, 3 if multimask else 1)
        # Filled piece by piece: gathering pieces in a list would hold everything twice.
        masks = scores = low_res = objects = torch.empty(0)
        known = False
        for part, some in batches(prompts, step):
            low, score, present = self.decode_small(view, some, multimask=multimask)
            full = view.frame.masks_out(low.float())
            values = full if return_logits else full > self.mask_threshold
            if not masks.numel():
                masks = torch.empty((count, *values.shape[1:]), dtype=values.dtype)
                scores = score.new_empty((count, *score.shape[1:]), dtype=torch.float32)
                low_res = low.new_empty((count, *low.shape[1:]), dtype=torch.float32)
                objects, known = score.new_empty(count, dtype=torch.float32), present is not None
            masks[part], scores[part], low_res[part] = values.cpu(), score.float(), low.float()
            if present is not None:
                objects[part] = present.float()
        return Decoded(masks, scores, low_res, objects if known else None)

    @torch.no_grad()
    def answers_on(self, view: View, prompts: PromptTensors, *, multimask: bool) -> list[Answer]:
        """Answers to K prompts on a view, whose masks are enlarged when they are wanted."""
        answers = []
        for _, some in batches(prompts, self.prompts_at_once(view, 0)):
            low, scores, present = self.decode_small(view, some, multimask=multimask)
            for index, score in enumerate(scores.float().cpu().numpy()):
                sure = None if present is None else present[index].float()
                answers.append(Answer(view, score, low[index].float(), self.mask_threshold, sure))
        return answers

    def prompts_at_once(self, view: View, masks_each: int) -> int:
        """How many prompts fit `CHUNK_BYTES` with their decoder activations and `masks_each` upsampled logits (0: none)."""
        (height, width), (up, across) = view.frame.original, view.frame.padded
        numbers = DECODER_NUMBERS_PER_TOKEN * view.tokens(self.attachment.geometry)
        numbers += 2 * masks_each * max(height * width, up * across)
        return max(1, CHUNK_BYTES // (4 * numbers))

    def tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device, torch.float32)
