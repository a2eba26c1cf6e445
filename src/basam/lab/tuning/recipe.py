"""The settings of one tuning: everything that decides its result. No torch here: the command line reads its defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, get_args

from basam.checks import Count, NameOrPath, NotNegative, Positive, Share, Whole, check_fields
from basam.errors import InputError
from basam.files import MAX_PIXELS
from basam.help import MASK_VALUES, MODEL, PIXELS, SOURCES, Help
from basam.lab.data import PromptSpec, Source, check_mask_values
from basam.lab.tuning.plan import Precision
from basam.method import BiasMode

# Learning rates at which nano learnt without becoming unstable; slopes are logarithms and take larger steps than weights.
RATES = {"bias": 1e-2, "decoder": 3e-4, "lora": 5e-4, "full": 1e-4}
SLOPE_RATE = 1e-2
Sampling = Literal["balanced", "proportional"]
SAMPLING = get_args(Sampling)


@dataclass(frozen=True)
class Sizes:
    """Long sides in pixels that are trained at: drawn from `low` to `high`, or the photographs' own up to `high`."""

    low: int
    high: int
    native: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high:
            raise InputError(f"sizes {self.low}-{self.high}: two numbers of pixels are needed, the smaller one first")

    @classmethod
    def parse(cls, text: str, max_side: int) -> Sizes:
        """`512-2048`, `1024` or `native`.

        Raises:
            ValueError: none of these.
        """
        if text == "native":
            return cls(1, max_side, True)
        parts = text.split("-")
        if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            raise InputError(f"sizes {text!r}: LOW-HIGH, one number of pixels or 'native' is needed, such as 512-2048")
        return cls(int(parts[0]), int(parts[-1]))

    def __str__(self) -> str:
        return "native" if self.native else f"{self.low}-{self.high}" if self.low < self.high else str(self.low)


@dataclass(frozen=True, kw_only=True)
class TuneLoss:
    """Shares of the losses. `boundary`: how much more a pixel at the edge of the object counts in the cross entropy."""

    bce: NotNegative = 1.0
    dice: NotNegative = 1.0
    iou: NotNegative = 1.0
    boundary: Annotated[NotNegative, Help("How much more pixels at edges count.", "Optimiser")] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.bce and not self.dice:
            raise InputError("bce and dice are both 0: nothing would be learnt of masks")


Way = Literal["bias", "decoder", "lora", "full"]
WAYS = get_args(Way)
# Close to no mask (a few tenths of a logit across SAM's grid), and far enough from 0 for its logarithm to move.
START_SLOPE = 0.01


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Rank of the pairs and their factor."""

    rank: Annotated[Count, Help("Rank of LoRA.", "Model")] = 8
    scale: Positive = 2.0

    def __post_init__(self) -> None:
        check_fields(self)


# Prompts that users give, and that the evaluation measures with: boxes, exact and noisy, and points.
MIX = tuple(PromptSpec.parse(text) for text in ("gt-box", "noisy-box", "gt-point", "random-point", "k-points:3+1"))


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """Settings of a tuning.

    Attributes:
        data, validation: `kind:ROOT[:split]`; mask_values: the meaning of mask values, for data of kind `folder`.
        rate: None: that of `RATES`; mode: None: `BiasMode()`, see `ways.tuned_mode`; sizes: see `sizes_for`.
        Every other field is described by its `Help`, which is also that of the command's option.

    Raises:
        ValueError, DatasetError: naming the field, its value and what is allowed.
    """

    data: Annotated[tuple[str, ...], Help("Training data, its training split. Repeatable.", "Data", SOURCES, repeat=True)]
    validation: Annotated[
        tuple[str, ...],
        Help("Data to choose on. Repeatable.", "Data", SOURCES, unset="a part of --data", repeat=True),
    ] = ()
    mask_values: Annotated[str | None, MASK_VALUES] = None
    max_side: Annotated[Count, Help("Longest side that 'native' keeps.", "Data")] = 4096
    max_pixels: Annotated[Count | None, PIXELS] = MAX_PIXELS
    augment: Annotated[bool, Help("Flip, crop and recolour.", "Data")] = True
    sampling: Annotated[
        Sampling,
        Help("balanced: every data set equally often; proportional: every photograph.", "Data"),
    ] = "balanced"
    model: Annotated[NameOrPath, MODEL] = "nano"
    way: Annotated[Way, Help("Which weights are trained.", "Model", option="--tune")] = "decoder"
    lora: Lora = field(default_factory=Lora)
    mode: Annotated[
        BiasMode | None,
        Help("A mode.json; its slopes become learned ones.", "Model", "FILE", unset="BiasMode()"),
    ] = None
    slope: Annotated[Positive, Help("Initial slope, in logits per patch.", "Model")] = START_SLOPE
    focus: Annotated[bool, Help("Train on crops around prompts, as --focus of other commands encodes them.", "Model")] = False
    sizes: Annotated[
        str | None,
        Help(
            "Long sides in pixels, one drawn per step; of crops with --focus.",
            "Model",
            "LOW-HIGH|N|native",
            unset="training resolution to twice that; the training resolution with --focus",
        ),
    ] = None
    prompts: Annotated[tuple[PromptSpec, ...], Help("One is drawn per step; see basam evaluate.", "Model")] = MIX
    steps: Annotated[Count, Help("Optimiser steps.", "Optimiser")] = 1000
    batch_size: Annotated[Count, Help("Photographs per step, in all processes.", "Optimiser")] = 4
    accumulate: Annotated[Count, Help("Parts of a batch, one after the other, to save memory.", "Optimiser")] = 1
    rate: Annotated[Positive | None, Help("Highest learning rate.", "Optimiser", unset="by --tune")] = None
    slope_rate: Annotated[Positive, Help("Learning rate of the slopes.", "Optimiser")] = SLOPE_RATE
    schedule: Annotated[
        Literal["cosine", "constant"],
        Help("cosine: the rate falls over --steps; constant: it stays, so that --steps can be raised later.", "Optimiser"),
    ] = "cosine"
    loss: TuneLoss = field(default_factory=TuneLoss)
    ema: Annotated[Share, Help("Decay of the moving average of the weights that is saved.", "Optimiser")] = 0.99
    precision: Annotated[Precision, Help("Mixed precision of the image encoder.", "Optimiser")] = "no"
    checkpointing: Annotated[bool, Help("Activation checkpointing: less memory, more time.", "Optimiser")] = True
    seed: Annotated[Whole, Help("Seed for everything random.", "Optimiser")] = 0
    validate_every: Annotated[Count, Help("Steps between validations and checkpoints.", "Validation")] = 100
    validate_count: Annotated[Count, Help("Photographs per data set to validate on.", "Validation")] = 16
    validate_sizes: Annotated[
        tuple[Count, ...], Help("Long sides to validate at.", "Validation", "N,N", unset="both ends of --sizes")
    ] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        check_mask_values(self.mask_values, [Source.parse(source) for source in (*self.data, *self.validation)])
        if self.sizes is not None:
            sizes = Sizes.parse(self.sizes, self.max_side)
            if self.focus and sizes.native:
                raise InputError("sizes native with focus: regions have no size of their own; give numbers of pixels")

    @property
    def highest_rate(self) -> float:
        return RATES[self.way] if self.rate is None else self.rate

    def sizes_for(self, trained_side: int, region_side: int | None = None) -> Sizes:
        """Long sides to train at, for a model that was trained at `trained_side` pixels, or sides of regions with `focus`.

        `region_side` is that of predicting; None: the trained one.
        """
        usual = str(region_side or trained_side) if self.focus else f"{trained_side}-{2 * trained_side}"
        return Sizes.parse(self.sizes or usual, self.max_side)

    def to_dict(self) -> dict[str, Any]:
        """For JSON and checkpoints: plain values only."""
        return asdict(self) | {"prompts": [str(spec) for spec in self.prompts]}
