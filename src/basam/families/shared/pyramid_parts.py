"""Parts of `transformers`' SAM 2 and SAM 3 that follow the image: their encoders end in three feature maps instead of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from basam.families.attachment import Replaced, class_replacements, global_replacements
from basam.families.shared.pyramid_files import SCALES
from basam.families.shared.transformers_parts import AnySizeModel, share_recording
from basam.families.shared.vit import ReplacedEncoder


class AnySizeVision(ReplacedEncoder):
    """The image encoder; stores the grid."""

    def forward(self, pixel_values: Tensor, *args: Any, **kwargs: Any) -> Any:
        self.basam.fit(pixel_values)
        return super().forward(pixel_values, *args, **kwargs)


class AnySizePyramid(AnySizeModel):
    """Upstream cuts the feature maps of an image to sizes that it reads from `backbone_feature_sizes`."""

    supports_gradient_checkpointing = True  # every layer does; upstream's models do not say so

    @property
    def backbone_feature_sizes(self) -> list[tuple[int, int]]:
        height, width = self.basam.grid
        return [(scale * height, scale * width) for scale in SCALES]


class NoEncodings(Replaced, nn.Module):
    """Upstream computes sine encodings of every feature map, which only videos use, and stores them: none are computed here."""

    def forward(self, shape: torch.Size, device: torch.device, dtype: torch.dtype, mask: Tensor | None = None) -> Tensor:
        return torch.empty((shape[0], 0, *shape[2:]), device=device, dtype=dtype)


def decoder_features(model: Any, output: Any) -> list[Tensor]:
    """The mask decoder's input from the image encoder's output, from fine to coarse; in the decoder's own dtype.

    Upstream does the same in its forward pass, but without the cast, so that a bfloat16 encoder fails there.
    """
    decoder, dtype = model.mask_decoder, model.mask_decoder.iou_token.weight.dtype
    levels = [level.to(dtype) for level in output.fpn_hidden_states]
    levels[-1] = levels[-1] + model.no_memory_embedding.reshape(1, -1, 1, 1)
    fine, middle, coarse = levels[: len(SCALES)]
    return [decoder.conv_s0(fine).to(dtype), decoder.conv_s1(middle).to(dtype), coarse]


def pyramid_replacements(
    model: nn.Module,
    classes: Mapping[type[nn.Module], type[nn.Module]],
    attention: type[nn.Module],
    blocks: str,
    name: str,
    count: int,
) -> list[tuple[nn.Module, type[nn.Module]]]:
    """Every module of a model with its replacement class.

    Args:
        classes: upstream's classes and their replacements.
        attention: the replacement of attention without a window; its second base is upstream's class.
        blocks: where the blocks of the encoder are; name: of the attention in a block; count: of global blocks.
    """
    upstream = attention.__bases__[1]
    pairs = class_replacements(model, classes)
    pairs += global_replacements(model.get_submodule(blocks).children(), name, {upstream: attention}, count)
    share_recording(pairs)
    return pairs
