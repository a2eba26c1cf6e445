"""Sizes of a TinyViT."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basam.checks import is_whole
from basam.families.base import UnsupportedModelError
from basam.families.shared import MOST

STAGES = 4  # of every TinyViT; the first is convolutional


@dataclass(frozen=True)
class TinyViTConfig:
    """Sizes of a TinyViT; one entry a stage, the first of which is convolutional."""

    widths: tuple[int, ...] = (64, 128, 160, 320)
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (0, 4, 5, 10)
    windows: tuple[int, ...] = (0, 7, 14, 7)
    expansion: int = 4  # of MLPs and of inverted bottlenecks
    classes: int = 1000  # of the classifier, which is in the file and not used
    channels: int = 256  # of the embedding
    image_size: int = 1024  # the long side it was trained at

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels a token of each stage: the last merging keeps the resolution."""
        stages = len(self.widths)
        return tuple(4 * 2 ** min(stage, stages - 2) for stage in range(stages))

    @property
    def patch(self) -> int:
        """Pixels a token of the embedding."""
        return self.strides[-1]


def tinyvit_config(fields: Mapping[str, Any]) -> TinyViTConfig:
    """From what JSON keeps of a configuration, which has lists for tuples; fields that are left out take their default."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return TinyViTConfig(**values)


def checked_sizes(fields: Any, file: Path) -> TinyViTConfig:
    """`tinyvit_config` of a section of config.json that may say anything.

    Raises:
        UnsupportedModelError: naming the file, the field and its value.
    """
    if not isinstance(fields, Mapping):
        raise UnsupportedModelError(f"{file}: tinyvit={fields!r}: an object is needed")
    defaults = vars(TinyViTConfig())
    for name, value in fields.items():
        if name not in defaults:
            raise UnsupportedModelError(f"{file}: tinyvit has {name}={value!r}: known are {', '.join(defaults)}")
        if isinstance(defaults[name], tuple):
            # The first stage is convolutional, which heads and windows of 0 say.
            least = 0 if name in ("heads", "windows") else 1
            most = MOST if name == "depths" else math.inf
            whole = isinstance(value, list) and all(is_whole(each, least) and each <= most for each in value)
            if not whole or len(value) != STAGES:
                raise UnsupportedModelError(
                    f"{file}: {name}={value!r} in tinyvit: a list of {STAGES} whole numbers of at least {least} is needed"
                )
        elif not is_whole(value, 1):
            raise UnsupportedModelError(f"{file}: {name}={value!r} in tinyvit: a whole number above 0 is needed")
    sizes = tinyvit_config(fields)
    for width, heads, window in zip(sizes.widths, sizes.heads, sizes.windows, strict=True):
        if heads and (width % heads or not window):
            raise UnsupportedModelError(
                f"{file}: heads={list(sizes.heads)} in tinyvit: they must divide widths={list(sizes.widths)}, and go with a "
                f"window each, of windows={list(sizes.windows)}"
            )
    if sizes.image_size % sizes.patch:
        raise UnsupportedModelError(f"{file}: image_size={sizes.image_size} in tinyvit: a multiple of {sizes.patch} is needed")
    return sizes
