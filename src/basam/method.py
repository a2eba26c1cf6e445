"""The method in one file: what BA-SAM adds to the logits of SAM's global attention.

    logits = lambda(n) / sqrt(d) * q.k + rel_pos(q, i - j) - slope_h * (|row_i - row_j| + |col_i - col_j|)

n is the number of keys that a query sees, n0 the trained one. In the published method they are all tokens of the image. With
`BiasMode(reach="trained")` they are a neighborhood as large as the trained grid, at trained distances: nothing is left to
correct. Nothing here depends on a model: `families` adds the terms, `attention` computes them without an N x N tensor.

Source: Song et al., "BA-SAM: Scalable Bias-Mode Attention Mask for Segment Anything Model", CVPR 2024, section 3;
geometric slopes: Press et al., "Train Short, Test Long" (ALiBi), ICLR 2022, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from basam.checks import NotNegative, Share, check_fields
from basam.errors import InputError, InputTypeError
from basam.help import REACH, Help

if TYPE_CHECKING:
    from torch import Tensor, device

Scaling = Literal["log", "none"]
Slopes = Literal["uniform", "geometric", "learned"]
Schedule = Literal["extrapolation", "constant"]
Aspect = Literal["axes", "square"]
Reach = Literal["image", "trained"]
Decoder = Literal["none", "log"]
WindowScaling = Literal["none", "log-count"]


def length_scale(tokens: int, trained_tokens: int) -> float:
    """lambda(n) = ln n / ln n0, the new scaling factor: 1 at the trained number of tokens, more above it, less below.

    Softmax over more keys is flatter; the factor keeps its entropy near the trained one (BA-SAM, section 3.2).

    Raises:
        ValueError: `tokens` below 1, or `trained_tokens` below 2 (ln n0 would be 0).
    """
    if tokens < 1:
        raise InputError(f"tokens={tokens}: a grid has at least one token")
    if trained_tokens < 2:
        raise InputError(f"trained_tokens={trained_tokens}: the trained grid must have at least two tokens")
    return math.log(tokens) / math.log(trained_tokens)


def head_slopes(
    heads: int, slope: float, kind: Literal["uniform", "geometric"] = "uniform", on: device | str | None = None
) -> Tensor:
    """Slopes of the bias-mode mask, one per head: `(heads,)` float64 (on MPS, which has none, float32), in logits per patch.

    `uniform` gives every head `slope`; `geometric` gives head h (counted from 1) `slope * 2 ** (-8 h / heads)`, which
    at `slope=1` are the slopes of ALiBi.
    """
    import torch  # here, so that the command line may read the defaults of `BiasMode` without it

    if heads < 1:
        raise InputError(f"heads={heads}: at least one head is needed")
    dtype = torch.float32 if on is not None and torch.device(on).type == "mps" else torch.float64
    if kind == "uniform":
        return torch.full((heads,), float(slope), dtype=dtype, device=on)
    exponents = torch.arange(1, heads + 1, dtype=dtype, device=on) * (-8 / heads)
    return slope * torch.exp2(exponents)


def distances(side: int, on: device | str | None = None) -> Tensor:
    """|i - j| along one axis of the grid, `(side, side)` int64, in patches.

    The mask's distance is Manhattan: the sum of this along rows and along columns, which is why it is separable.
    """
    import torch

    index = torch.arange(side, device=on)
    return (index[:, None] - index[None, :]).abs()


@dataclass(frozen=True, kw_only=True)
class BiasMode:
    """How attention is corrected for the number of tokens. Frozen, hashable, the same for every layer.

    With the default schedule a mode is the identity at the trained number of tokens, whatever its other values.

    Attributes:
        scaling: `log` multiplies q.k by lambda(n); `none` leaves it as trained.
        strength: share of the correction that is applied, 0 to 1: the factor becomes `1 + strength * (lambda - 1)`, the
            slope `strength * slope`. 1 is the published method. What suits one model
            better is its own business: see `basam.model.mode_of`.
        slope: strength of the mask in logits per patch of Manhattan distance, at least 0.
        slopes: `uniform` over heads, `geometric` as in ALiBi (see `head_slopes`), or `learned`: one per head and global layer,
            which an adapter brings along (`basam.load(..., adapter=...)`); `slope` then has no say.
        schedule: `extrapolation` multiplies the slope by `max(0, lambda - 1)`, so that the mask grows with the excess of
            tokens and is absent at and below the trained size; `constant` keeps the slope at every size.
        aspect: what positions and prompts of an image that is not square are normalised by: `axes`, every axis by its own
            side, or `square`, both by the long side, as in a square of which the image is a part. None: the model's own
            rule. That is `square` for SAM 1, trained on photos padded to a square, and for SAM 3, whose rotary positions have
            one step for both axes; it is `axes` for SAM 2, trained on photos squashed to a square.
        reach: which keys a query of a global layer sees. `image`: all of them, the published method. `trained`: those of a
            window around it with the side of the trained grid, moved inside at the edges of the image (neighborhood
            attention). Time and memory are linear in the tokens then. Positions have one step per patch as trained, so
            `scaling` and the `extrapolation` schedule have nothing to correct; a `constant` mask acts inside the window.
            Up to the trained grid, nothing changes. Models without global layers (MobileSAM) are not affected.
        decoder: `log` scales q.k of the mask decoder's attention from tokens to the image by lambda(n) as well (with
            `strength`): it has one key per patch, so its softmax flattens in the same way. `none` leaves the decoder as
            trained.
        tinyvit_windows: TinyViT (MobileSAM) has windows only, whose length never changes. `log-count` scales q.k inside
            them by `ln m / ln m0` (with `strength`), m and m0 the present and the trained number of windows of the layer:
            the published code scales by the logarithm of their number, the division, which makes it the identity at the
            trained size, is ours. `none` leaves windows as trained.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    scaling: Annotated[Scaling, Help("Whether q.k is scaled by lambda = ln n / ln n0.", "Model", unset="the mode's")] = "log"
    strength: Annotated[Share, Help("Share of the correction that is applied, 0 to 1.", "Model", unset="the mode's")] = 1.0
    slope: Annotated[NotNegative, Help("Slope of the bias-mode mask, logits per patch.", "Model", unset="the mode's")] = 0.1
    slopes: Slopes = "uniform"
    schedule: Schedule = "extrapolation"
    aspect: Annotated[
        Aspect | None, Help("Positions normalised per axis or by the long side.", "Model", unset="the mode's")
    ] = None
    reach: Annotated[Reach, REACH] = "image"
    decoder: Decoder = "none"
    tinyvit_windows: WindowScaling = "none"

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def off(cls) -> BiasMode:
        """Plain SAM at any size: no factor, no mask. The baseline of every comparison."""
        return cls(scaling="none", slope=0.0)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BiasMode:
        """The mode that `dataclasses.asdict` wrote, also of basam 0.2; an unknown key is an error that names it."""
        if not isinstance(values, dict):
            raise InputTypeError(f"{values!r}: a dictionary with the fields of a BiasMode is needed")
        # A field until 0.2; `interpolate`, what all models do now, was its default.
        if values.get("positions", "interpolate") != "interpolate":
            raise InputError(
                f"positions={values['positions']!r} was removed, because it was never better: leave it out, "
                "or take reach='trained', which keeps the trained distances; basam 0.2 runs it as it was"
            )
        values = {key: value for key, value in values.items() if key != "positions"}
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise InputError(f"unknown field {key!r} of BiasMode: known are {', '.join(known)}")
        return cls(**values)

    def window(self, grid: tuple[int, int], trained_side: int) -> tuple[int, int]:
        """Rows and columns of keys that a query of a global layer sees on a grid of tokens; the grid itself: all of them."""
        height, width = grid
        return grid if self.reach == "image" else (min(trained_side, height), min(trained_side, width))

    def factor(self, tokens: int, trained_tokens: int) -> float:
        """What q.k is multiplied by on top of `1 / sqrt(d)`; 1 at the trained number of tokens."""
        if self.scaling == "none" or self.reach == "trained":
            return 1.0
        return self.partial_scale(tokens, trained_tokens)

    def decoder_factor(self, tokens: int, trained_tokens: int) -> float:
        """What q.k of the mask decoder's attention to the image is multiplied by."""
        return 1.0 if self.decoder == "none" else self.partial_scale(tokens, trained_tokens)

    def window_factor(self, windows: int, trained_windows: int) -> float:
        """What q.k inside TinyViT's windows is multiplied by; a layer trained on a single window is left alone."""
        if self.tinyvit_windows == "none" or trained_windows < 2:
            return 1.0
        return self.partial_scale(windows, trained_windows)

    def partial_scale(self, count: int, trained_count: int) -> float:
        """From 1 towards `length_scale`, by the share `strength`."""
        return 1.0 + self.strength * (length_scale(count, trained_count) - 1.0)

    def mask_share(self, tokens: int, trained_tokens: int) -> float:
        """What slopes are multiplied by at this number of tokens: strength and schedule."""
        if self.schedule == "constant":
            return self.strength
        if self.reach == "trained":
            return 0.0
        return self.strength * max(0.0, length_scale(tokens, trained_tokens) - 1.0)

    def effective_slope(self, tokens: int, trained_tokens: int) -> float:
        """The slope after strength and schedule, before it is spread over heads."""
        return self.slope * self.mask_share(tokens, trained_tokens)

    def mask_slopes(self, heads: int, tokens: int, trained_tokens: int, on: device | str | None = None) -> Tensor | None:
        """Slopes of every head at this number of tokens, as `head_slopes` gives them; None where the mask is absent.

        Raises:
            ValueError: slopes are `learned`; the attachment of the model has them.
        """
        if self.slopes == "learned":
            raise InputError("slopes='learned': the attachment of a model has them, not the mode")
        slope = self.effective_slope(tokens, trained_tokens)
        return head_slopes(heads, slope, self.slopes, on) if slope else None
