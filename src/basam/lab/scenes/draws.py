"""Random decisions of a scene that come out the same on every machine and with every numpy.

numpy keeps the raw output of a bit generator stable for ever, but neither the methods of `Generator` (NEP 19) nor the last
bit of `sin` and `exp`, which depend on the processor. So everything here is made from raw 64-bit words with additions,
multiplications and comparisons only; these IEEE 754 fixes to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import PCG64, SeedSequence

T = TypeVar("T")
TAYLOR = (-15.09464258, 42.05869394, -76.70585975, 81.60524928, -41.34170224, 6.283185307)
Array = np.ndarray
Colour = tuple[float, float, float]


class Draws:
    """A stream of random decisions, given by a key of non-negative integers."""

    def __init__(self, *key: int) -> None:
        self._bits = PCG64(SeedSequence(key))

    def child(self) -> Draws:
        """A stream of its own: however much is drawn from it, this one continues the same."""
        return Draws(int(self._bits.random_raw()))

    def unit(self) -> float:
        """One number in [0, 1)."""
        return (self._bits.random_raw() >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        """One number in [low, high)."""
        return low + (high - low) * self.unit()

    def skewed(self, low: float, high: float) -> float:
        """One number in [low, high), small ones far more often: two thirds lie in the lowest third."""
        u = self.unit()
        return low + (high - low) * u * u * (0.4 + 0.6 * u)

    def bell(self, spread: float) -> float:
        """One number around 0 with standard deviation `spread`, never beyond 3.5 of them (sum of four uniform ones)."""
        return (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.7320508 * spread

    def integer(self, low: int, high: int) -> int:
        """One integer, both ends included."""
        return low + int(self.unit() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.unit() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.integer(0, len(options) - 1)]

    def units(self, count: int) -> Array:
        """(count,) float64 in [0, 1)."""
        return (self._bits.random_raw(count) >> np.uint64(11)) * 2.0**-53

    def array(self, low: float, high: float, count: int) -> Array:
        """(count,) float64 in [low, high)."""
        return low + (high - low) * self.units(count)

    def tile(self, side: int) -> Array:
        """(side, side) float32 in [-1, 1], 256 levels; side is a multiple of 4."""
        raw = self._bits.random_raw(side * side // 8).astype("<u8").view(np.uint8)
        return ((raw.astype(np.float32) - np.float32(127.5)) * np.float32(1 / 127.5)).reshape(side, side)


def sine(turns: Array) -> Array:
    """sin(2 pi turns) to about 1e-7 from additions and multiplications alone, in the precision of the argument."""
    t = turns - np.floor(turns + 0.5)
    t = np.where(t > 0.25, 0.5 - t, np.where(t < -0.25, -0.5 - t, t)).astype(turns.dtype)
    s = t * t
    kind = turns.dtype.type
    result = np.full_like(s, TAYLOR[0])
    for coefficient in TAYLOR[1:]:
        result *= s
        result += kind(coefficient)
    return result * t


def cosine(turns: Array) -> Array:
    """cos(2 pi turns), see `sine`."""
    return sine(turns + turns.dtype.type(0.25))


def direction(turns: float) -> tuple[float, float]:
    """Cosine and sine of one angle in turns."""
    return _sine(turns + 0.25), _sine(turns)


def _sine(turns: float) -> float:
    """`sine` of one number: the same operations, without the cost of arrays."""
    t = turns - math.floor(turns + 0.5)
    t = 0.5 - t if t > 0.25 else -0.5 - t if t < -0.25 else t
    s = t * t
    result = TAYLOR[0]
    for coefficient in TAYLOR[1:]:
        result = result * s + coefficient
    return result * t


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """RGB in 0..1 of a hue in turns (0 red, 1/3 green, 2/3 blue), a saturation and a value."""

    def channel(offset: float) -> float:
        position = (hue * 6.0 + offset) % 6.0
        return value * (1.0 - saturation * max(0.0, min(1.0, position, 4.0 - position)))

    return channel(5.0), channel(3.0), channel(1.0)
