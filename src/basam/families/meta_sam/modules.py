"""Replacements for live models of Meta's `segment_anything` and its forks, whose classes are known only at run time.

Blocks, windows and decoder stay upstream's (forks change them): only global attention and code with a fixed image size are
replaced.

Upstream's predictor reads the encoder's `img_size` three times: as the length of `ResizeLongestSide`, as the expected size of
the resized image, and as the side of the square that images are padded to. An attached encoder returns a `TargetLength`, which
follows the photograph; padding is to a multiple of the patch.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from basam.errors import InputError, OrderError, warn
from basam.families.attachment import Replaced
from basam.families.shared import AnySizePositions, GridAttention


class TargetLength(int):
    """`img_size` of an attached encoder: the side of the present square, and the long side that images are resized to.

    `ResizeLongestSide` computes `target * 1.0 / long_side`: here that is a scale that leaves the image at native resolution,
    between the trained long side (smaller images are enlarged to it, as upstream does) and `max_side`. A predictor may hold the
    object; after detaching it is upstream's fixed length again.
    """

    encoder: Any

    def __new__(cls, encoder: Any) -> TargetLength:
        side = encoder.basam.long_side * encoder.basam.geometry.patch if isinstance(encoder, Replaced) else encoder.img_size
        length = super().__new__(cls, side)
        length.encoder = encoder
        return length

    def __reduce__(self) -> tuple[Any, ...]:
        return TargetLength, (self.encoder,)

    def __mul__(self, factor: Any) -> Any:
        if isinstance(self.encoder, Replaced):
            return ResizeTarget(self.encoder)
        return self.encoder.img_size * factor

    def __eq__(self, other: object) -> bool:
        """Whether images are resized to this long side: upstream's predictor compares images with `==`."""
        if isinstance(self.encoder, Replaced):
            basam = self.encoder.basam
            return isinstance(other, int) and min(basam.geometry.image_size, basam.max_side) <= other <= basam.max_side
        return self.encoder.img_size == other

    def __ne__(self, other: object) -> bool:
        return not self == other  # int has one of its own, which would compare the numbers

    def __hash__(self) -> int:
        return int.__hash__(self)


class ResizeTarget:
    """The result of `TargetLength * 1.0`: divided by the long side of an image, its scale."""

    def __init__(self, encoder: Any) -> None:
        self.attachment = encoder.basam

    def __truediv__(self, long_side: int) -> float:
        highest = self.attachment.max_side
        length = min(max(long_side, self.attachment.geometry.image_size), highest)
        if length < long_side:
            warn(
                f"an image of {long_side} px is reduced to {highest} px; "
                f"`model.image_encoder.img_size = {long_side}` lifts the limit"
            )
        return length / long_side


class MetaEncoder(AnySizePositions):
    """Stores the grid, and overrides the image's size."""

    @property
    def img_size(self) -> TargetLength:
        return TargetLength(self)

    @img_size.setter
    def img_size(self, max_side: int) -> None:
        patch = self.basam.geometry.patch
        if not isinstance(max_side, int) or max_side < patch:
            raise InputError(f"img_size={max_side!r}: a number of pixels is needed, at least a patch ({patch})")
        self.basam.max_side = max_side

    def forward(self, x: Tensor) -> Any:
        self.basam.fit(x)
        return super().forward(x)


class MetaAttention(GridAttention):
    """The attention of a global block."""

    qkv: nn.Module
    proj: nn.Module
    num_heads: int

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(self.attend_grid(self.qkv(x).unflatten(-1, (3, self.num_heads, -1))))


class MetaPrompts(Replaced, nn.Module):
    """Coordinates and dense encodings follow the grid, normalised by the aspect rule."""

    pe_layer: nn.Module

    @property
    def image_embedding_size(self) -> tuple[int, int]:
        return self.basam.grid

    @property
    def input_image_size(self) -> tuple[int, int]:
        return self.basam.pixel_extent

    def get_dense_pe(self) -> Tensor:
        height, width = self.basam.grid
        return self.pe_layer(self.basam.extent)[None, :, :height, :width]


class MetaDecoder(Replaced, nn.Module):
    """Rejects features of another image than the last one, which upstream's predictor does not check."""

    def forward(self, image_embeddings: Tensor, *args: Any, **kwargs: Any) -> Any:
        grid = tuple(image_embeddings.shape[-2:])
        if grid != self.basam.grid:
            raise OrderError(
                f"these features are of {grid[0]} x {grid[1]} patches, but the last image the model saw has "
                f"{self.basam.grid[0]} x {self.basam.grid[1]}: set the image again, or give every predictor its own model"
            )
        return super().forward(image_embeddings, *args, **kwargs)


class MetaModel(Replaced, nn.Module):
    """Pads to a multiple of the patch instead of a square, and takes images of different sizes one by one."""

    pixel_mean: Tensor
    pixel_std: Tensor

    def preprocess(self, x: Tensor) -> Tensor:
        multiple = self.basam.geometry.multiple
        x = (x - self.pixel_mean) / self.pixel_std
        return F.pad(x, (0, -x.shape[-1] % multiple, 0, -x.shape[-2] % multiple))

    def postprocess_masks(self, masks: Tensor, input_size: tuple[int, ...], original_size: tuple[int, ...]) -> Tensor:
        geometry = self.basam.geometry
        height, width = (side // geometry.mask_scale * geometry.patch for side in masks.shape[-2:])
        masks = F.interpolate(masks, (height, width), mode="bilinear", align_corners=False)
        masks = masks[..., : input_size[0], : input_size[1]]
        return F.interpolate(masks, original_size, mode="bilinear", align_corners=False)

    def forward(self, batched_input: list[dict[str, Any]], *args: Any, **kwargs: Any) -> Any:
        if len({tuple(record["image"].shape[-2:]) for record in batched_input}) <= 1:
            return super().forward(batched_input, *args, **kwargs)
        return [output for record in batched_input for output in super(MetaModel, self).forward([record], *args, **kwargs)]
