"""Candidates with their scores on the same photographs, and the rule that picks one of them.

The rule: of all candidates that are no worse than the best one by more than the standard error of the paired difference,
take the weakest correction. Plain SAM is always a candidate and the weakest, so it wins unless another beats it by
more than one standard error; of equal candidates the weaker one wins.

Source: the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from basam.errors import InputError
from basam.lab.evaluation import paired_difference
from basam.method import BiasMode

USUAL = (BiasMode().schedule, BiasMode().slopes)  # not printed in tables


@dataclass(frozen=True)
class Candidate:
    """A mode and its scores, higher is better: one row per photograph, one number per size in it."""

    mode: BiasMode
    scores: tuple[tuple[float, ...], ...]

    @property
    def by_photo(self) -> list[float]:
        return [statistics.fmean(row) for row in self.scores]

    @property
    def by_size(self) -> list[float]:
        return [statistics.fmean(column) for column in zip(*self.scores, strict=True)]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.by_photo)


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate that the rule of this module picks."""
    best = max(candidates, key=lambda candidate: candidate.mean).by_photo
    for candidate in sorted(candidates, key=lambda candidate: weight(candidate.mode)):
        deficit, error = paired_difference(best, candidate.by_photo)
        if deficit <= error:
            return candidate
    raise InputError("no candidates to choose from")


def weight(mode: BiasMode) -> tuple[float, ...]:
    """Sorts modes from plain SAM to the strongest correction: by the factor, then the mask, then the other switches."""
    factor = mode.strength if mode.scaling == "log" else 0.0
    switches = (mode.schedule == "constant", mode.slopes == "uniform", mode.decoder == "log")
    return (factor, mode.strength * mode.slope, *map(float, switches), float(mode.aspect is not None))


def describe(mode: BiasMode) -> str:
    """A mode in a few words, for tables: `plain`, or `factor 0.5, slope 0.1 constant` (without default values)."""
    words = ["reach trained"] if mode.reach == "trained" else []
    if mode.scaling == "log" and mode.strength:
        words.append(f"factor {mode.strength:g}")
    slope = mode.strength * mode.slope
    if slope:
        words.append(" ".join([f"slope {slope:g}", *(word for word in (mode.schedule, mode.slopes) if word not in USUAL)]))
    if mode.aspect is not None:
        words.append(f"aspect {mode.aspect}")
    if mode.decoder == "log" and mode.strength:
        words.append(f"decoder {mode.strength:g}")
    if mode.tinyvit_windows != "none" and mode.strength:
        words.append(f"windows {mode.strength:g}")
    return ", ".join(words) or "plain"
