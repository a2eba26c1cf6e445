"""Geometry of a model, in numbers, as needed for the correction. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from basam.method import Aspect


@dataclass(frozen=True)
class Geometry:
    """Geometry of a model, as needed for the correction. Sizes are those of training."""

    patch: int  # pixels along a side of a patch
    trained_side: int  # patches along a side of the trained, square grid
    layers: int
    global_layers: tuple[int, ...]  # indices of layers that attend over the whole grid
    heads: int
    multiple: int = 0  # pixels that both sides of an input must be multiples of; 0: the patch
    mask_scale: int = 4  # pixels of a low-resolution mask along a side of a patch
    aspect: Aspect = "square"  # how positions are normalised unless the mode overrides it
    squashed: bool = False  # whether training squashed photos to a square, instead of padding them to one
    round_to: int = 0  # pixels; sides are resized to the nearest multiple where padding disturbs the model; 0: they are padded

    def __post_init__(self) -> None:
        if not self.multiple:
            object.__setattr__(self, "multiple", self.patch)

    @property
    def step(self) -> int:
        """Step in pixels between input sizes that need no padding."""
        return self.round_to or self.multiple

    @property
    def trained_tokens(self) -> int:
        return self.trained_side**2

    @property
    def image_size(self) -> int:
        """Long side in pixels that the model was trained at."""
        return self.patch * self.trained_side

    def mask_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the low-resolution masks of an input of height x width px."""
        return height // self.patch * self.mask_scale, width // self.patch * self.mask_scale
