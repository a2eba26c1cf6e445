"""Which photographs form a batch: those of similar shape, drawn by weight, as a pure function of the step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from basam.errors import InputError
from basam.files import ImageError, picture_size
from basam.lab.data import Issue, Issues, Sample
from basam.lab.tuning.recipe import SAMPLING
from basam.lab.tuning.sources import Portion

# Width by height of photographs in one bucket differs by at most a factor of 2 ** (1 / 3).
ASPECTS_AN_OCTAVE = 3
# At their own sizes, long sides in one bucket differ by at most a factor of 2 ** (1 / 2).
SIZES_AN_OCTAVE = 2


@dataclass(frozen=True, eq=False)
class Item:
    """A photograph to train on, with its upright size in pixels and its share of all draws."""

    sample: Sample
    height: int
    width: int
    weight: float

    @property
    def long_side(self) -> int:
        return max(self.height, self.width)


def size_of(sample: Sample) -> tuple[int, int]:
    """Upright height and width of a photograph, from its header. Raises ImageError where there is none."""
    width, height = picture_size(sample.image_path, max_pixels=sample.max_pixels)
    return height, width


def items_of(portions: Sequence[Portion], sampling: str, issues: Issues, smallest: int = 1) -> list[Item]:
    """All training photographs; what has no readable header, or is too small, is left out and reported in `issues`.

    Args:
        sampling: `balanced`: every data set is drawn equally often; `proportional`: every photograph is.
        smallest: the long side in pixels that a photograph must have.

    Raises:
        ValueError: unknown `sampling`, or no photograph at all.
    """
    if sampling not in SAMPLING:
        raise InputError(f"sampling={sampling!r}: allowed are {', '.join(SAMPLING)}")
    by_data: list[list[tuple[Sample, tuple[int, int]]]] = []
    for portion in portions:
        sized = []
        for sample in portion.train:
            try:
                height, width = size_of(sample)
                if max(height, width) >= smallest:
                    sized.append((sample, (height, width)))
                else:
                    detail = f"{width} x {height} pixels, a patch has {smallest} x {smallest}"
                    issues.add(Issue("small-image", str(sample.image_path), detail))
            except (ImageError, OSError) as error:
                issues.add(Issue("unreadable-image", str(sample.image_path), str(error)))
        if sized:
            by_data.append(sized)
        elif portion.train:
            raise InputError(f"{portion.title}: none of its {len(portion.train)} photographs can be read and used")
    whole = sum(len(sized) for sized in by_data)
    if not whole:
        raise InputError("there is no photograph to train on")
    return [
        Item(sample, *size, 1 / (len(by_data) * len(sized)) if sampling == "balanced" else 1 / whole)
        for sized in by_data
        for sample, size in sized
    ]


class Buckets:
    """Items by shape (and by size, where they keep their own).

    A bucket is drawn by the weight of what is in it and then its items by theirs, so that every item is drawn as often as
    its weight, whatever the buckets.
    """

    def __init__(self, items: Sequence[Item], native: bool) -> None:
        groups: dict[tuple[int, int], list[Item]] = defaultdict(list)
        for item in items:
            aspect = round(ASPECTS_AN_OCTAVE * math.log2(item.width / item.height))
            size = round(SIZES_AN_OCTAVE * math.log2(item.long_side)) if native else 0
            groups[aspect, size].append(item)
        self.groups = [groups[key] for key in sorted(groups)]
        self.weights = [np.array([item.weight for item in group]) for group in self.groups]
        self.totals = np.array([weights.sum() for weights in self.weights])

    def draw(self, generator: np.random.Generator, count: int) -> list[Item]:
        """`count` items of one bucket."""
        number = generator.choice(len(self.groups), p=self.totals / self.totals.sum())
        group, weights = self.groups[number], self.weights[number]
        return [group[index] for index in generator.choice(len(group), size=count, p=weights / weights.sum())]
