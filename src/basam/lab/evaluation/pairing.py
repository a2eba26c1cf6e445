"""Statistics of figures: 95 % intervals of means over photographs, and of paired differences between methods.

Two methods use the same photographs, so the variation of their difference matters, not that of the photographs. A photograph
with several objects counts once, with the mean over its objects: objects of one photograph are not independent. Such a
difference therefore differs from the difference of two figures of the table if photographs have unequal numbers of objects.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from basam.checks import shown
from basam.errors import InputError
from basam.lab.evaluation.lines import Line, Results
from basam.lab.evaluation.methods import METHODS
from basam.lab.evaluation.settings import Variant
from basam.lab.evaluation.tables import lines_of
from basam.lab.metrics import COLUMNS

ORDER = tuple(METHODS)
# 97.5 % points of Student's t with 1, 2, ... degrees of freedom; above, a series is exact to three digits.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def half_width(error: float, count: int) -> float | None:
    """Half the width of the 95 % interval of a mean over `count` values with this standard error, by Student's t.

    None for fewer than two values.
    """
    if count < 2:
        return None
    freedom, z = count - 1, 1.959964
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1] * error
    # Cornish and Fisher's series (Abramowitz and Stegun, 26.7.5).
    series = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return (z + sum(term / freedom**power for power, term in enumerate(series, start=1))) * error


def mean_interval(values: Sequence[float]) -> float | None:
    """Half the width of the 95 % interval of the mean of independent values."""
    return half_width(statistics.stdev(values) / math.sqrt(len(values)), len(values)) if len(values) > 1 else None


def paired_difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of a - b over photographs and its standard error.

    Raises:
        ValueError: fewer than two photographs, which have no standard error, or not the same number.
    """
    if len(a) != len(b) or len(a) < 2:
        raise InputError(f"{len(a)} and {len(b)} photographs: the same number is needed, at least 2")
    differences = [x - y for x, y in zip(a, b, strict=True)]
    return statistics.fmean(differences), statistics.stdev(differences) / math.sqrt(len(differences))


def paired(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[float, float | None]:
    """Mean difference of the second to the first over common photographs, and half the width of its 95 % interval.

    Args:
        first, second: a value per photograph, as returned by `image_means`.

    Raises:
        ValueError: no common photograph.
    """
    both = sorted(first.keys() & second.keys())
    if not both:
        raise InputError(f"first of {len(first)} photographs, second of {len(second)}: they have none in common to compare")
    sides = [[side[sample] for sample in both] for side in (second, first)]
    if len(both) < 2:
        return math.fsum(sides[0]) - math.fsum(sides[1]), None
    difference, error = paired_difference(*sides)
    return difference, half_width(error, len(both))


def image_means(lines: Iterable[Line], metric: str) -> dict[str, float]:
    """The mean of a metric over the objects per photograph, without photographs for which it is not defined."""
    means = {}
    for line in lines:
        if "sample" not in line or "instances" not in line:
            raise InputError(f"{shown('lines', line)}: lines of per_image.jsonl are needed, with 'sample' and 'instances'")
        values = [instance["metrics"].get(metric) for instance in line["instances"]]
        defined = [value for value in values if isinstance(value, (int, float))]
        if defined:
            means[line["sample"]] = statistics.fmean(defined)
    return means


def intervals_of(lines: Sequence[Line]) -> dict[str, float | None]:
    """Half the width of the 95 % interval over photographs of every figure that is defined per photograph."""
    values = {metric: list(image_means(lines, metric).values()) for metric in COLUMNS}
    return {metric: mean_interval(of_photos) for metric, of_photos in values.items() if of_photos}


def pairs_of(variants: Iterable[Variant]) -> list[tuple[Variant, Variant]]:
    """The pairs that are compared: methods at the same size, and `resize`, which has one size, with all others."""
    ranked = sorted(variants, key=lambda variant: ORDER.index(variant.method))
    return [(a, b) for a, b in combinations(ranked, 2) if a.size == b.size or a.method == "resize"]


def compare_methods(
    results: Results, samples: Sequence[str], variants: Sequence[Variant], prompts: Iterable[str]
) -> list[dict[str, Any]]:
    """The entries of `paired` in `summary.json`: one per prompt and pair of methods with common photographs.

    `differences` has for every figure that is defined per photograph (no curve, no AP) the mean `difference` of the
    second to the first and its `interval`, which is None for one photograph.
    """
    entries = []
    for prompt in prompts:
        lines = {variant: lines_of(results, samples, variant, prompt) for variant in variants}
        for first, second in pairs_of(variants):
            differences: dict[str, dict[str, float | None]] = {}
            images = 0
            for metric in COLUMNS:
                sides = [image_means(lines[variant], metric) for variant in (first, second)]
                both = len(sides[0].keys() & sides[1].keys())
                if both:
                    difference, interval = paired(*sides)
                    differences[metric] = {"difference": difference, "interval": interval}
                    images = max(images, both)
            if differences:
                names = {"first": label(first), "second": label(second), "size": second.size, "images": images}
                entries.append({"prompt": prompt, **names, "differences": differences})
    return entries


def label(variant: Variant) -> str:
    return f"{variant.method} {variant.size}"


def main_metric(entries: Iterable[Mapping[str, Any]]) -> str | None:
    """The main figure: IoU if it was measured, else the first in the order of tables."""
    present = {metric for entry in entries for metric in entry["differences"]}
    return next((metric for metric in ("iou", *COLUMNS) if metric in present), None)


def in_words(entry: Mapping[str, Any], metric: str) -> str:
    """`+0.0123 ± 0.0040`; `-` if it was not measured, without an interval for one photograph."""
    difference = entry["differences"].get(metric)
    if difference is None:
        return "-"
    interval = "" if difference["interval"] is None else f" ± {difference['interval']:.4f}"
    return f"{difference['difference']:+.4f}{interval}"
