"""Sizes of an EfficientSAM."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EfficientSamConfig:
    """Sizes of an EfficientSAM."""

    width: int = 192
    depth: int = 12
    heads: int = 3
    mlp: int = 768
    positions: int = 14  # a side of the table of absolute positions, which training resampled to its grid
    patch: int = 16
    image_size: int = 1024
    channels: int = 256  # of embeddings and prompts
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_inner: int = 128  # width of attention between tokens and image
    decoder_mlp: int = 2048
    masks: int = 4  # one for unambiguous prompts, and three
    iou_hidden: int = 256
    upscaling: tuple[int, int] = (64, 32)

    @property
    def grid(self) -> tuple[int, int]:
        return self.image_size // self.patch, self.image_size // self.patch
