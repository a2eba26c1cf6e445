"""What has been measured so far, by regime, size, configuration and prompt; differences are paired by unit.

The unit of all statistics is a picture: instances are averaged first. A unit has the same name in both generated regimes, since
its mosaics begin with its scene.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from basam.lab.evaluation import Line
from studies.calibration import interval
from studies.length_study.measuring import ENTROPY, METRICS
from studies.length_study.pictures import PHOTOS, TRAINED

ALL_PHOTOS = "photographs"
ENOUGH = 20  # pictures
Values = dict[str, float]  # by unit


class Point(NamedTuple):
    regime: str
    size: int


class Estimate(NamedTuple):
    """A mean over `units` pictures and its 95 % interval by the percentile bootstrap (10,000 draws, seed 0).

    With few pictures such intervals are too narrow: below ENOUGH nothing is called a gain or a loss.
    """

    mean: float
    low: float
    high: float
    units: int

    @property
    def is_loss(self) -> bool:
        return self.high < 0 and self.units >= ENOUGH

    @property
    def is_gain(self) -> bool:
        return self.low > 0 and self.units >= ENOUGH


def estimate(values: Iterable[float]) -> Estimate:
    numbers = list(values)
    return Estimate(statistics.fmean(numbers), *interval(numbers, 0), len(numbers))


class Study:
    """Reads lines into `values`: by point, configuration, prompt and metric."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.values: dict[tuple[Any, ...], Values] = defaultdict(dict)
        self.layers: dict[tuple[Point, str], dict[str, list[float]]] = defaultdict(dict)
        for line in lines:
            regime, unit = line["sample"].split("/", 1)
            point = Point(regime, line["size"])
            if line["prompt"] == ENTROPY:
                self.layers[point, line["method"]][unit] = line["layers"]
                continue
            for metric in METRICS:
                numbers = [instance["metrics"][metric] for instance in line["instances"]]
                self.values[point, line["method"], line["prompt"], metric][unit] = statistics.fmean(numbers)

    def of(self, point: Point, name: str, prompt: str, metric: str = "iou") -> Values:
        """By unit; empty where nothing was measured.

        A mosaic of one tile is the scene at the trained size; the regime ALL_PHOTOS has the photographs of all sets.
        """
        if point.regime == ALL_PHOTOS:
            sets = {regime: self.of(Point(regime, point.size), name, prompt, metric) for regime in PHOTOS}
            return {f"{regime}/{unit}": value for regime, values in sets.items() for unit, value in values.items()}
        if point == ("scene", TRAINED):
            point = Point("detail", TRAINED)
        return self.values.get((point, name, prompt, metric), {})

    def mean(
        self, point: Point, name: str, prompt: str, metric: str = "iou", keep: Callable[[str], bool] = bool
    ) -> Estimate | None:
        """Mean over the units that `keep` accepts; None where nothing was measured."""
        values = [value for unit, value in self.of(point, name, prompt, metric).items() if keep(unit)]
        return estimate(values) if values else None

    def difference(
        self,
        first: tuple[Point, str],
        second: tuple[Point, str],
        prompt: str,
        metric: str = "iou",
        keep: Callable[[str], bool] = bool,
    ) -> Estimate | None:
        """Of the first less the second (point and configuration), over the units that have both; None where none has."""
        one, other = self.of(*first, prompt, metric), self.of(*second, prompt, metric)
        values = [one[unit] - other[unit] for unit in one if unit in other and keep(unit)]
        return estimate(values) if values else None
