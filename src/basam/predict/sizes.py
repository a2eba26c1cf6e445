"""Default encoding sizes and dtypes. Plain values, because `--help` prints them."""

from __future__ import annotations

import math

# Default longest side in pixels. Time of global attention grows with its fourth power.
MAX_SIDE = 4096
# Most pixels per encoder pass: a gigapixel takes 12 GB before the first layer.
MOST_ENCODED = 1 << 30
# `auto` goes up to this multiple of the training token count: twice the trained long side, for a square.
MOST_TOKENS = 4.0


def auto_side(height: int, width: int, trained_side: int, multiple: int, most: float = MOST_TOKENS) -> int:
    """The long side in pixels of a photo of height x width px under `auto`.

    Its own if that makes at most `most` times the training token count, otherwise the largest that does.

    Args:
        trained_side: long side in pixels that the model was trained at, as a square.
        multiple: pixels that both sides of an input are padded to a multiple of.
    """
    long, short = max(height, width), min(height, width)

    def cells(side: int) -> int:
        return math.ceil(side / multiple) * math.ceil(max(1, round(short * side / long)) / multiple)

    budget = most * (trained_side / multiple) ** 2
    if cells(long) <= budget:
        return long
    steps = math.isqrt(int(budget * long / short)) + 1
    return next((step * multiple for step in range(steps, 0, -1) if cells(step * multiple) <= budget), multiple)
