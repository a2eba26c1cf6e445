"""The settings of one tuning: everything that decides its result. No torch here: the command line reads its defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from basam.checks import Count, NameOrPath, NotNegative, Positive, Share, Whole, check_fields, one_of
from basam.errors import InputError
from basam.files import MAX_PIXELS
from basam.lab.data import PromptSpec, Source, check_mask_values
from basam.lab.tuning.plan import Precision
from basam.method import BiasMode

# Learning rates that moved nano and did not shake it; slopes are logarithms and take larger steps than weights.
RATES = {"bias": 1e-2, "decoder": 3e-4, "lora": 5e-4, "full": 1e-4}
SLOPE_RATE = 1e-2
SAMPLING = ("balanced", "proportional")
SCHEDULES = ("cosine", "constant")


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
    boundary: NotNegative = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.bce and not self.dice:
            raise InputError("bce and dice are both 0: nothing would be learnt of masks")


WAYS = ("bias", "decoder", "lora", "full")


# Close to no mask (a few tenths of a logit across SAM's grid), and far enough from 0 for its logarithm to move.
START_SLOPE = 0.01


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Rank of the pairs and the factor on what they add."""

    rank: Count = 8
    scale: Positive = 2.0

    def __post_init__(self) -> None:
        check_fields(self)


# What people give, and what the evaluation measures with: boxes, exact and noisy, and points.
MIX = tuple(PromptSpec.parse(text) for text in ("gt-box", "noisy-box", "gt-point", "random-point", "k-points:3+1"))


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """What is tuned, on what and how.

    Attributes:
        data: `kind:ROOT[:split]` of what is trained on; validation: likewise, in place of what `sources` chooses.
        mask_values: for data of kind `folder`, what values of masks mean: `nonzero`, `threshold`, `label=K` or `instances`.
            None: an object against nothing; values that look like labels are refused.
        model: what `basam.load` takes; way: one of `WAYS`.
        focus: train on the regions around the prompts, as the model's own mode file chooses them, instead of whole photographs.
        sizes: `LOW-HIGH`, a long side in pixels or `native`. None: from the trained long side to twice that. With `focus` those
            of regions, not `native`. None: the region's side when predicting, usually the trained one.
        max_side: largest long side of `native`; max_pixels: larger photographs are left out. None: none is.
        steps, batch_size: optimiser steps, and photographs in each (of all processes and parts together).
        rate: highest learning rate. None: that of `RATES`. slope_rate: that of the slopes.
        schedule: `cosine`: the rate falls over all steps; `constant`: it stays, so that a run can be extended to more steps.
        accumulate: parts of a batch, one after the other; checkpointing: activation checkpointing.
        precision: `no`, `bf16` or `fp16`, of the encoder.
        prompts: one of them is drawn for each step; sampling: `balanced` or `proportional`; augment: flip, crop, colour.
        loss: shares of the losses; ema: decay of the average of weights, which is what is kept.
        lora: of way `lora`; slope: what slopes start from; mode: the correction. None: `BiasMode()`. See `ways.tuned_mode`.
        validate_every: in steps; validate_count: photographs of each data set; validate_sizes: long sides. Empty: the ends
            of `sizes`.
        seed: of everything that is drawn.

    Raises:
        ValueError, DatasetError: naming the field, its value and what is allowed.
    """

    data: tuple[str, ...]
    validation: tuple[str, ...] = ()
    mask_values: str | None = None
    model: NameOrPath = "nano"
    way: Annotated[str, one_of(*WAYS)] = "decoder"
    focus: bool = False
    sizes: str | None = None
    max_side: Count = 4096
    max_pixels: Count | None = MAX_PIXELS
    steps: Count = 1000
    batch_size: Count = 4
    rate: Positive | None = None
    slope_rate: Positive = SLOPE_RATE
    schedule: Annotated[str, one_of(*SCHEDULES)] = "cosine"
    accumulate: Count = 1
    checkpointing: bool = True
    precision: Precision = "no"
    prompts: tuple[PromptSpec, ...] = MIX
    sampling: Annotated[str, one_of(*SAMPLING)] = "balanced"
    augment: bool = True
    loss: TuneLoss = field(default_factory=TuneLoss)
    ema: Share = 0.99
    lora: Lora = field(default_factory=Lora)
    slope: Positive = START_SLOPE
    mode: BiasMode | None = None
    validate_every: Count = 100
    validate_count: Count = 16
    validate_sizes: tuple[Count, ...] = ()
    seed: Whole = 0

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
