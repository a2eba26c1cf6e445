"""Calibrate regions on masks: context, side and the rule for clicks, compared with the whole photo at the trained size.

Boxes decide context and side, because their region does not depend on a first mask; points decide the rule for clicks and its
margin, then the penalty for cut-off masks. Of all candidates that are no worse than the best one by more than the standard
error of the paired difference over photographs, the first is taken: the default comes first, then cheaper ones.
Data sets have equal weights. A larger side is tried only on request, because it costs more than twice as much.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from basam.checks import instance_of
from basam.errors import InputError
from basam.lab.calibration.labelled import check_datasets, few_instances, ious, pick_samples
from basam.lab.data import Dataset, Issues, PromptSpec, Sample, SampleError, make_prompt
from basam.lab.evaluation import paired_difference, read_sample
from basam.predict import Focus, Predictor

BOX, POINT = PromptSpec("gt-box"), PromptSpec("gt-point")
CONTEXTS = (2.0, 1.5, 3.0)
LARGER = 1.5  # times the trained side
RULES = (
    ("coarse", Focus.margin),
    ("zoom", 0.0),
    ("zoom", 0.05),
    ("zoom", 0.1),
    ("scales", 0.0),
    ("scales", 0.1),
    ("scales", 0.2),
)
CUTS = (0.0, 0.2, 0.8)


@dataclass(frozen=True)
class FocusCandidate:
    """Settings of regions (None: the whole photo at the trained size), the kind of prompt, and mean IoU by photograph.

    `scores` has one row per data set.
    """

    focus: Focus | None
    prompt: PromptSpec
    scores: tuple[tuple[float, ...], ...]

    @property
    def mean(self) -> float:
        """The mean of the means of data sets."""
        return statistics.fmean(self.by_data)

    @property
    def by_data(self) -> list[float]:
        return [statistics.fmean(row) for row in self.scores]

    def minus(self, other: FocusCandidate) -> tuple[float, float]:
        """The difference of the means, paired by photograph, and its standard error."""
        pairs = [paired_difference(mine, theirs) for mine, theirs in zip(self.scores, other.scores, strict=True)]
        return statistics.fmean(pair[0] for pair in pairs), math.hypot(*(pair[1] for pair in pairs)) / len(pairs)

    def __str__(self) -> str:
        if self.focus is None:
            return f"{self.prompt}, whole photo"
        side = "trained side" if self.focus.side is None else f"{self.focus.side} px"
        how = f"{self.prompt}, context {self.focus.context:g}, {side}"
        if self.prompt == BOX:
            return how
        rule = self.focus.click
        return f"{how}, {rule}" + ("" if rule == "coarse" else f", margin {self.focus.margin:g}, cut {self.focus.cut:g}")


@dataclass
class FocusCalibration:
    """The result of a search: every candidate, the chosen focus, photographs by data set, and problems."""

    candidates: list[FocusCandidate]
    chosen: Focus
    photos: dict[str, list[str]]
    issues: Issues = field(default_factory=Issues)

    def whole(self, prompt: PromptSpec) -> FocusCandidate:
        return next(one for one in self.candidates if one.focus is None and one.prompt == prompt)

    def is_chosen(self, candidate: FocusCandidate) -> bool:
        """Whether it was chosen, as far as its kind of prompt decides."""
        focus = candidate.focus
        if focus is None or candidate.prompt == POINT:
            return focus == self.chosen
        return (focus.context, focus.side) == (self.chosen.context, self.chosen.side)

    def rows(self) -> list[dict[str, Any]]:
        """Plain JSON: every candidate with its means and its paired difference to the whole photo."""
        rows = []
        for one in self.candidates:
            difference, error = one.minus(self.whole(one.prompt))
            means = {"mean": one.mean, "by_data": dict(zip(self.photos, one.by_data, strict=True))}
            rows.append({"focus": str(one), **means, "minus_whole": difference, "standard_error": error})
        return rows


def calibrate_focus(
    predictor: Predictor,
    datasets: Sequence[Dataset],
    *,
    count: int = 30,
    seed: int = 0,
    larger: bool = False,
    test_split_allowed: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> FocusCalibration:
    """Search for the focus with the highest mean IoU on photographs of all `datasets`, under the predictor's own mode.

    Args:
        predictor: on the model; its `focus` is the chosen one in the end.
        count: photographs per data set at most, drawn by `seed`.
        larger: also try regions of LARGER times the trained side.
        progress: called with the name of the pass, the photographs done and those in the pass.

    Raises:
        TestSplitError: see `check_split`.
        ValueError: fewer than two usable photographs of a data set, none, or one twice.
    """
    instance_of(predictor, "predictor", Predictor)
    check_datasets(datasets, test_split_allowed)
    trained = predictor.attachment.geometry.image_size
    passes = Passes(predictor, datasets, count, seed, progress)
    boxes = [replace(Focus(), context=context) for context in CONTEXTS]
    boxes += [replace(Focus(), side=round(LARGER * trained))] if larger else []
    measured = passes.measured([None, *boxes], BOX, "regions of boxes")
    best = picked(measured)
    rules = passes.measured([None, *(replace(best, click=rule, margin=margin) for rule, margin in RULES)], POINT, "rules")
    measured, best = [*measured, *rules], picked(rules)
    if best.click != "coarse":
        chosen = next(rule for rule in rules if rule.focus == best)
        cuts = passes.measured([replace(best, cut=cut) for cut in CUTS], POINT, "masks that are cut off")
        measured, best = [*measured, *cuts], picked([chosen, *cuts])
    predictor.focus = best
    return FocusCalibration(measured, best, passes.photos, passes.issues)


def picked(candidates: Sequence[FocusCandidate]) -> Focus:
    """The first of `candidates` that is no worse than the best of them by more than one standard error."""
    regions = [one for one in candidates if one.focus is not None]
    best = max(regions, key=lambda one: one.mean)
    for one in regions:
        deficit, error = best.minus(one)
        if deficit <= error and one.focus is not None:
            return one.focus
    raise InputError("no candidates to choose from")


class Passes:
    """Measures candidates on the same photographs and objects, one pass after the other.

    Attributes:
        photos: the photographs used, by the title of their data set.
        issues: problems of the others.
    """

    def __init__(
        self,
        predictor: Predictor,
        datasets: Sequence[Dataset],
        count: int,
        seed: int,
        progress: Callable[[str, int, int], None] | None,
    ) -> None:
        self.predictor, self.seed, self.progress = predictor, seed, progress
        self.samples = {dataset.title: pick_samples(dataset.samples, count, seed) for dataset in datasets}
        self.photos: dict[str, list[str]] = {}
        self.issues = Issues()

    def measured(self, focuses: Sequence[Focus | None], prompt: PromptSpec, name: str) -> list[FocusCandidate]:
        """Mean IoU by photograph per rule for regions, with one kind of prompt."""
        whole, done = sum(map(len, self.samples.values())), 0
        issues, scores = Issues(), [list[tuple[float, ...]]() for _ in focuses]
        for title, samples in self.samples.items():
            table, usable = [], []
            for sample in samples:
                done += 1
                try:
                    table.append(self.measure(sample, focuses, prompt, issues))
                    usable.append(sample)
                except SampleError as error:
                    issues.extend(error.issues)
                if self.progress is not None:
                    self.progress(name, done, whole)
            if len(usable) < 2:
                raise InputError(f"{title}: {len(usable)} usable photographs, at least 2 are needed to choose anything")
            self.samples[title], self.photos[title] = usable, [sample.id for sample in usable]
            for rows, column in zip(scores, zip(*table, strict=True), strict=True):
                rows.append(column)
        if not len(self.issues):
            self.issues = issues
        return [FocusCandidate(focus, prompt, tuple(rows)) for focus, rows in zip(focuses, scores, strict=True)]

    def measure(self, sample: Sample, focuses: Sequence[Focus | None], prompt: PromptSpec, issues: Issues) -> tuple[float, ...]:
        """Mean IoU of one photograph per focus of `focuses`; regions that several of them use are encoded once.

        Raises:
            SampleError: it cannot be read.
        """
        loaded, image = read_sample(sample)
        issues.extend(loaded.issues)
        self.predictor.set_image(image, long_side=self.predictor.attachment.geometry.image_size)
        rows = []
        for instance in few_instances(loaded.instances, self.seed):
            made = make_prompt(
                prompt,
                instance.mask,
                seed=self.seed,
                sample_id=sample.id,
                instance_id=instance.id,
                ignored=loaded.ignored,
            )
            one = [(instance, made.arguments())]
            rows.append([next(ious(self.predictor, one, loaded.ignored, focus or False)) for focus in focuses])
        return tuple(statistics.fmean(column) for column in zip(*rows, strict=True))
