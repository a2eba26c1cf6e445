"""A kind of prompt to make from the ground truth, as one word of the command line; `prompting` makes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from basam.checks import NotNegative, Whole, check_fields, nearest
from basam.errors import InputError

PROMPT_KINDS = ("gt-box", "noisy-box", "gt-point", "random-point", "k-points", "none")
MOST_POINTS = 1000  # per prompt: every point is a token of the decoder
_SPEC = re.compile(r"(?P<kind>[a-z-]+)(:(?P<value>[^+]+)(\+(?P<negatives>\d+))?)?")


@dataclass(frozen=True)
class PromptSpec:
    """Which prompt to make. `str(spec)` is the short name that `parse` reads and reports print.

    Attributes:
        kind: one of `PROMPT_KINDS`.
        positives, negatives: number of points of `k-points`.
        noise: of `noisy-box`: standard deviation as a share of the box's side.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    kind: str
    positives: Whole = 3
    negatives: Whole = 0
    noise: NotNegative = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in PROMPT_KINDS:
            raise InputError(
                f"prompt {self.kind!r} is unknown: known are {', '.join(PROMPT_KINDS)}{nearest(self.kind, PROMPT_KINDS)}"
            )
        if not 1 <= self.positives <= MOST_POINTS or not 0 <= self.negatives <= MOST_POINTS:
            raise InputError(
                f"k-points:{self.positives}+{self.negatives}: at least 1 positive and 0 negative points, at most {MOST_POINTS} "
                "of each"
            )
        if not 0 <= self.noise < 1:
            raise InputError(f"noisy-box:{self.noise}: the share of the box's side must be at least 0 and below 1")

    @classmethod
    def parse(cls, text: str) -> PromptSpec:
        """`gt-box`, `noisy-box:0.2`, `k-points:3`, `k-points:3+2` and so on."""
        match = _SPEC.fullmatch(text.strip())
        if match is None:
            raise InputError(f"prompt {text!r} is unknown: known are {', '.join(PROMPT_KINDS)}{nearest(text, PROMPT_KINDS)}")
        kind, value, negatives = match["kind"], match["value"], match["negatives"]
        try:
            if value is None:
                return cls(kind)
            if kind == "k-points":
                return cls(kind, positives=int(value), negatives=int(negatives or 0))
            if kind == "noisy-box" and negatives is None:
                return cls(kind, noise=float(value))
        except ValueError as error:
            raise InputError(f"prompt {text!r}: {error}") from error
        raise InputError(f"prompt {text!r}: only k-points:P[+N] and noisy-box:SHARE take a value")

    def __str__(self) -> str:
        if self.kind == "k-points":
            return f"k-points:{self.positives}" + (f"+{self.negatives}" if self.negatives else "")
        if self.kind == "noisy-box" and self.noise != type(self).noise:
            return f"noisy-box:{self.noise:g}"
        return self.kind
