"""Choose how regions are found by masks: context, side and the rule for clicks, beside the whole photo at the trained size.

Boxes decide about context and side, since their region does not depend on a first mask; points decide about the rule for
clicks. A candidate takes the place of the default only if it is better by more than one standard error of the paired
difference over photographs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from basam.data import Dataset, Issues, PromptSpec, SampleError, make_prompt
from basam.errors import InputError
from basam.evaluation.calibration.choice import paired_difference
from basam.evaluation.calibration.labelled import check_split, few_instances, ious, pick_samples
from basam.evaluation.reading import read_sample
from basam.predict import CLICK_RULES, Focus, Predictor

BOX, POINT = PromptSpec("gt-box"), PromptSpec("gt-point")
CONTEXTS = (1.5, 2.0, 3.0)
LARGER = 1.5  # times the trained side


@dataclass(frozen=True)
class FocusCandidate:
    """How regions are found (None: the whole photo at the trained size), the kind of prompt, and mean IoU by photograph."""

    focus: Focus | None
    prompt: PromptSpec
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    def __str__(self) -> str:
        if self.focus is None:
            return f"{self.prompt}, whole photo"
        side = "trained side" if self.focus.side is None else f"{self.focus.side} px"
        how = f"{self.prompt}, context {self.focus.context:g}, {side}"
        return how if self.prompt == BOX else f"{how}, {self.focus.click}"


@dataclass
class FocusCalibration:
    """What a search found: every candidate, the focus that was picked, and what was wrong with the photographs."""

    candidates: list[FocusCandidate]
    chosen: Focus
    photos: list[str]
    issues: Issues = field(default_factory=Issues)

    def whole(self, prompt: PromptSpec) -> FocusCandidate:
        return next(each for each in self.candidates if each.focus is None and each.prompt == prompt)

    def found(self) -> list[dict[str, Any]]:
        """Plain JSON: every candidate with its mean and its paired difference to the whole photo."""
        rows = []
        for each in self.candidates:
            difference, error = paired_difference(each.scores, self.whole(each.prompt).scores)
            rows.append({"focus": str(each), "mean": each.mean, "minus_whole": difference, "standard_error": error})
        return rows


def calibrate_focus(
    predictor: Predictor,
    dataset: Dataset,
    *,
    count: int = 30,
    seed: int = 0,
    test_split_allowed: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> FocusCalibration:
    """Search for the focus with the highest mean IoU on photographs of `dataset`, under the predictor's own mode.

    Args:
        predictor: on the model; its `focus` is the chosen one in the end.
        count: photographs at most, drawn by `seed`.
        progress: called with the name of the pass, the photographs done and those in the pass.

    Raises:
        TestSplitError: see `check_split`.
        ValueError: fewer than two usable photographs.
    """
    check_split(dataset, test_split_allowed)
    trained = predictor.attachment.geometry.image_size
    usual = Focus()
    first = [None, *(replace(usual, context=context) for context in CONTEXTS), replace(usual, side=round(LARGER * trained))]
    boxes = measured(predictor, dataset, [(each, BOX) for each in first], count, seed, "regions of boxes", progress)
    best = picked(boxes.candidates, usual)
    clicks = [(None, POINT), *((replace(best, click=rule), POINT) for rule in CLICK_RULES)]
    points = measured(predictor, dataset, clicks, count, seed, "regions of clicks", progress)
    predictor.focus = picked(points.candidates, best)
    return FocusCalibration([*boxes.candidates, *points.candidates], predictor.focus, boxes.photos, boxes.issues)


def picked(candidates: Sequence[FocusCandidate], usual: Focus) -> Focus:
    """The candidate with the highest mean, if it is better than `usual` by more than one standard error; else `usual`."""
    known = {each.focus: each for each in candidates if each.focus is not None}
    best = max(known.values(), key=lambda each: each.mean)
    difference, error = paired_difference(best.scores, known[usual].scores)
    assert best.focus is not None
    return best.focus if difference > error else usual


def measured(
    predictor: Predictor,
    dataset: Dataset,
    cells: Sequence[tuple[Focus | None, PromptSpec]],
    count: int,
    seed: int,
    name: str,
    progress: Callable[[str, int, int], None] | None,
) -> FocusCalibration:
    """Mean IoU of every candidate on the same photographs and objects."""
    issues, used = Issues(), []
    table: list[list[float]] = [[] for _ in cells]
    samples = pick_samples(dataset.samples, count, seed)
    trained = predictor.attachment.geometry.image_size
    for done, sample in enumerate(samples, start=1):
        try:
            loaded, image = read_sample(sample)
        except SampleError as error:
            issues.extend(error.issues)
        else:
            issues.extend(loaded.issues)
            used.append(sample.id)
            predictor.set_image(image, long_side=trained)
            for scores, (focus, spec) in zip(table, cells, strict=True):
                asked = [
                    (
                        instance,
                        make_prompt(
                            spec, instance.mask, seed=seed, sample_id=sample.id, instance_id=instance.id, ignored=loaded.ignored
                        ).arguments(),
                    )
                    for instance in few_instances(loaded.instances, seed)
                ]
                scores.append(statistics.fmean(ious(predictor, asked, loaded.ignored, focus or False)))
        if progress is not None:
            progress(name, done, len(samples))
    if len(used) < 2:
        raise InputError(f"{dataset.title}: {len(used)} usable photographs, at least 2 are needed to choose anything")
    candidates = [FocusCandidate(*cell, tuple(scores)) for cell, scores in zip(cells, table, strict=True)]
    return FocusCalibration(candidates, Focus(), used, issues)
