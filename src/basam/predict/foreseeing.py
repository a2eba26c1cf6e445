"""What answering prompts on a photo will encode, and about what it costs: before the photo is read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from basam.checks import Count, checked
from basam.predict.engine import CHUNK_BYTES, DECODER_NUMBERS_PER_TOKEN, Engine
from basam.predict.focus import Focus
from basam.predict.focusing import Focusing
from basam.predict.predictor import Predictor
from basam.predict.prompts import check_prompts
from basam.predict.resize import Frame
from basam.predict.views import KeptImage, View

# Global attention does that much worse per operation than matrix multiplication: softmax and bias cost time, too. With it the
# times of ViT-B from 1024 to 4096 px in docs/performance.md are met within a quarter.
ATTENTION_WEIGHT = 1.5
# Numbers that the encoder holds at its peak, per token and channel: 12 were measured of ViT-B between 1024 and 2048 px.
NUMBERS_PER_TOKEN_AND_CHANNEL = 12
# Bytes per pixel of a photo: as it is read, as it is kept, its overlay.
BYTES_PER_PIXEL = 12


@dataclass(frozen=True)
class Foreseen:
    """How one prompt will be answered.

    Attributes:
        view: what it is answered on. `certain` is False for a click whose region a first pass over the photo finds: the view
            is then one of the same number of tokens around the click.
        encoded: the views that are encoded for it, at most.
    """

    view: View
    encoded: tuple[View, ...]
    certain: bool = True


@checked
def foresee(
    predictor: Predictor,
    height: Count,
    width: Count,
    prompt: dict[str, Any],
    focus: Focus | None,
    *,
    long_side: int | None = None,
    square: bool = False,
) -> list[Foreseen]:
    """How each prompt on an image of height x width px will be answered; nothing is encoded, the image at hand is forgotten.

    Args:
        prompt: arguments of `Predictor.predict`: `point_coords`, `point_labels`, `box`; with `focus` (None: the whole image).
        long_side, square: as of `Predictor.set_image`.

    Raises:
        ValueError: an image or a prompt that the predictor refuses.
    """
    whole = View(predictor.frame_of(height, width, long_side, square))
    predictor.take(blank(height, width, whole))
    prompts = check_prompts(
        height, width, None, prompt.get("point_coords"), prompt.get("point_labels"), prompt.get("box"), None
    )
    if focus is None:
        return [Foreseen(whole, (whole,))] * prompts.count
    focusing = Focusing(predictor, focus, False)
    regions = focusing.regions_of_boxes(prompts)
    found = []
    for index in range(prompts.count):
        if index in regions:
            view = focusing.view(regions[index])
            found.append(Foreseen(view, (view,)))
        elif focus.click == "scales":
            views = focusing.scales(prompts, index)
            found.append(Foreseen(views[0], tuple(views), certain=len(views) == 1))
        elif focusing.is_small:
            found.append(Foreseen(focusing.coarse, (focusing.coarse,)))
        else:
            view = focusing.view(focusing.around_points(focusing.meant(prompts, index)))
            found.append(Foreseen(view, (focusing.coarse, view), certain=False))
    return found


def blank(height: int, width: int, view: View) -> KeptImage:
    """An image of height x width px that takes no memory: all pixels are one."""
    return KeptImage(view, np.broadcast_to(np.uint8(127), (height, width, 3)))


@dataclass(frozen=True)
class EncodingCost:
    """About what encoding costs on this machine, from one timed pass at the trained size.

    Time of everything but global attention grows with the number of tokens n, that of global attention with its square:
    `seconds = trained_seconds * ((1 - share) * n / n0 + share * (n / n0)**2)`. `share` is that of global attention at the
    trained size, from the multiplications in it and in the encoder's layers.

    Attributes:
        trained_seconds: of the timed pass; trained_tokens: n0.
        channels: width of the encoder; number_bytes: of one of its numbers.
        resident: bytes that the process holds with the model loaded; 0 where the system does not say.
    """

    trained_seconds: float
    trained_tokens: int
    share: float
    channels: int
    number_bytes: int
    resident: int = 0

    def seconds(self, tokens: Iterable[int]) -> float:
        """Of encoding views of so many tokens, one after the other."""
        ratios = [each / self.trained_tokens for each in tokens]
        return self.trained_seconds * sum((1 - self.share) * ratio + self.share * ratio**2 for ratio in ratios)

    def memory(self, tokens: int, pixels: int, prompts: int) -> int:
        """Bytes that the process holds at its peak, on a photo of so many pixels whose largest view has so many tokens."""
        encoding = NUMBERS_PER_TOKEN_AND_CHANNEL * self.channels * self.number_bytes * tokens
        one = 4 * (DECODER_NUMBERS_PER_TOKEN * tokens + 2 * pixels)
        decoding = max(one, min(prompts * one, CHUNK_BYTES))
        return self.resident + max(encoding, decoding) + (BYTES_PER_PIXEL + prompts) * pixels


@checked
def encoding_cost(engine: Engine) -> EncodingCost:
    """Times one pass of the encoder at the trained size, after a small one that warms it up; the image at hand is forgotten."""
    geometry = engine.attachment.geometry
    side = geometry.image_size

    def seconds(long_side: int) -> float:
        frame = Frame.fit(long_side, long_side, long_side, geometry.multiple, False)
        engine.take(blank(long_side, long_side, View(frame)))
        start = time.perf_counter()
        engine.encode([engine.image.whole])
        if engine.device.type == "cuda":
            torch.cuda.synchronize(engine.device)
        return time.perf_counter() - start

    seconds(max(geometry.multiple, side // 4))
    timed = seconds(side)
    engine.picture = None
    encoder = engine.family.encoder(engine.model)
    tokens, channels = geometry.trained_tokens, channels_of(encoder)
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    linear = 2 * parameters * tokens
    attention = ATTENTION_WEIGHT * 4 * len(geometry.global_layers) * tokens**2 * channels
    return EncodingCost(
        timed,
        tokens,
        attention / (linear + attention),
        channels,
        next(encoder.parameters()).element_size(),
        resident_bytes(),
    )


def channels_of(encoder: nn.Module) -> int:
    """The width that most of its linear layers take."""
    widths = Counter(module.in_features for module in encoder.modules() if isinstance(module, nn.Linear))
    return widths.most_common(1)[0][0] if widths else 1


def resident_bytes() -> int:
    """Memory of this process, as Linux reports it; 0 elsewhere."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            found = next((line.split()[1] for line in status if line.startswith("VmRSS:")), "0")
        return 1024 * int(found)
    except OSError:
        return 0
