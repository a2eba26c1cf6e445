"""Sizes of a TinyViT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from basam.families.base import UnsupportedModelError

STAGES = 4  # of every TinyViT; the first is convolutional


@dataclass(frozen=True)
class TinyViTConfig:
    """Sizes of a TinyViT; one entry per stage, the first of which is convolutional."""

    widths: tuple[int, ...] = (64, 128, 160, 320)
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (0, 4, 5, 10)
    windows: tuple[int, ...] = (0, 7, 14, 7)
    expansion: int = 4  # of MLPs and of inverted bottlenecks
    classes: int = 1000  # of the classifier, which is in the file and not used
    channels: int = 256  # of the embedding
    image_size: int = 1024  # the long side it was trained at

    def __post_init__(self) -> None:
        for name in ("widths", "depths", "heads", "windows"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or len(value) != STAGES:
                value = list(value) if isinstance(value, tuple) else value
                raise UnsupportedModelError(f"{name}={value!r} in tinyvit: a list of {STAGES} whole numbers is needed")
        if self.image_size < 1 or self.image_size % self.patch:
            raise UnsupportedModelError(f"image_size={self.image_size} in tinyvit: a multiple of {self.patch} is needed")

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels per token, by stage: the last merging does not reduce the resolution."""
        stages = len(self.widths)
        return tuple(4 * 2 ** min(stage, stages - 2) for stage in range(stages))

    @property
    def patch(self) -> int:
        """Pixels a token of the embedding."""
        return self.strides[-1]


def tinyvit_config(fields: Mapping[str, Any]) -> TinyViTConfig:
    """Sizes from a configuration in JSON, which has lists for tuples; missing fields take their default."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return TinyViTConfig(**values)
