"""The settings of one tuning: everything that decides its result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from basam.data import PromptSpec, Source
from basam.method import BiasMode
from basam.tuning.batches import MIX
from basam.tuning.buckets import SAMPLING, Sizes
from basam.tuning.tuned import TuneLoss
from basam.tuning.ways import START_SLOPE, WAYS, Lora

# Learning rates that moved nano and did not shake it; slopes are logarithms and take larger steps than weights.
RATES = {"bias": 1e-2, "decoder": 3e-4, "lora": 5e-4, "full": 1e-4}
SLOPE_RATE = 1e-2


@dataclass(frozen=True)
class TuneSettings:
    """What is tuned, on what and how.

    Attributes:
        data: `kind:ROOT[:split]` of what is trained on; validation: likewise, in place of what `sources` chooses.
        model: what `basam.load` takes; way: one of `WAYS`.
        sizes: `LOW-HIGH`, a long side in pixels or `native`. None: from the trained long side to twice that.
        max_side: largest long side of `native`.
        steps, batch_size: optimiser steps, and photographs in each (of all processes and parts together).
        rate: highest learning rate. None: that of `RATES`. slope_rate: that of the slopes.
        accumulate: parts of a batch, one after the other; checkpointing: layers are computed anew in the backward pass.
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
    model: str = "nano"
    way: str = "decoder"
    sizes: str | None = None
    max_side: int = 4096
    steps: int = 1000
    batch_size: int = 4
    rate: float | None = None
    slope_rate: float = SLOPE_RATE
    accumulate: int = 1
    checkpointing: bool = True
    precision: str = "no"
    prompts: tuple[PromptSpec, ...] = MIX
    sampling: str = "balanced"
    augment: bool = True
    loss: TuneLoss = field(default_factory=TuneLoss)
    ema: float = 0.99
    lora: Lora = field(default_factory=Lora)
    slope: float = START_SLOPE
    mode: BiasMode | None = None
    validate_every: int = 100
    validate_count: int = 16
    validate_sizes: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for source in (*self.data, *self.validation):
            Source.parse(source)
        if self.sizes is not None:
            Sizes.parse(self.sizes, self.max_side)
        for name, allowed in (("way", WAYS), ("sampling", SAMPLING), ("precision", ("no", "bf16", "fp16"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: allowed are {', '.join(allowed)}")
        for name in ("rate", "slope_rate", "slope"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}={value}: a number above 0 is needed")
        for name in ("steps", "batch_size", "accumulate", "validate_every", "validate_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: at least 1 is needed")

    @property
    def highest_rate(self) -> float:
        return RATES[self.way] if self.rate is None else self.rate

    def sizes_for(self, trained_side: int) -> Sizes:
        """Long sides to train at, for a model that was trained at `trained_side` pixels."""
        return Sizes.parse(self.sizes or f"{trained_side}-{2 * trained_side}", self.max_side)

    def to_dict(self) -> dict[str, Any]:
        """For JSON and checkpoints: plain values only."""
        return asdict(self) | {"prompts": [str(spec) for spec in self.prompts]}
