"""Calibrate a mode on masks: mean IoU with prompts from the ground truth, on a split that no result is reported on.

A coordinate search with few candidates: one field is varied at a time from the best so far, and every candidate is
measured on the same photographs and prompts. `choice` picks the mode in the end.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from basam.checks import instance_of, whole_number
from basam.errors import BasamError, InputError
from basam.lab.calibration.choice import Candidate, choose
from basam.lab.data import Dataset, Instance, Issues, PromptSpec, Sample, SampleError, make_prompt
from basam.lab.evaluation import canonical, read_sample
from basam.lab.metrics import measure
from basam.method import BiasMode
from basam.predict import Focus, Predictor

PROMPTS = (PromptSpec("gt-box"), PromptSpec("gt-point"))
# A COCO photograph can hold dozens of objects; this many are enough.
INSTANCES = 8


class TestSplitError(BasamError, ValueError):
    """A mode must not be chosen on the split that results are reported on."""

    __test__ = False  # its name looks like a test to pytest


def factors(best: BiasMode) -> list[BiasMode]:
    return [replace(best, scaling="log", strength=strength) for strength in (0.25, 0.5, 1.0)]


def masks(best: BiasMode) -> list[BiasMode]:
    """Slopes per patch: under `extrapolation` they are multiplied by lambda - 1, 0.5 at 16 times the trained tokens of nano."""
    modes = [replace(best, slope=slope / best.strength) for slope in (0.03, 0.1, 0.3)]
    return modes + [replace(best, slope=slope / best.strength, schedule="constant") for slope in (0.01, 0.05)]


def heads(best: BiasMode) -> list[BiasMode]:
    """Geometric slopes fall off from head to head: the same top slope, and one with about the same sum."""
    return [replace(best, slopes="geometric", slope=times * best.slope) for times in (1, 4)] if best.slope else []


def decoder(best: BiasMode) -> list[BiasMode]:
    return [replace(best, decoder="log")]


PASSES: tuple[Callable[[BiasMode], list[BiasMode]], ...] = (factors, masks, heads, decoder)


@dataclass
class Calibration:
    """The result of a search: every candidate, plain SAM first, the chosen one, and problems of the photographs.

    Attributes:
        photos: the ones measured on, by the title of their data set.
    """

    candidates: list[Candidate]
    chosen: Candidate
    photos: dict[str, list[str]]
    issues: Issues = field(default_factory=Issues)

    @property
    def plain(self) -> Candidate:
        return self.candidates[0]


def check_split(dataset: Dataset, test_split_allowed: bool = False) -> None:
    """Reject a split that results are reported on.

    Raises:
        TestSplitError: `dataset` is a test split and that was not allowed on purpose.
    """
    if dataset.is_test and not test_split_allowed:
        raise TestSplitError(
            f"{dataset.title} is a test split: a mode chosen on it makes every figure reported on it worthless. Take the "
            "training or validation split"
        )


def check_datasets(datasets: Sequence[Dataset], test_split_allowed: bool = False) -> None:
    """Reject data that nothing can be calibrated on.

    Raises:
        TestSplitError: see `check_split`.
        ValueError: none, or one twice.
    """
    for dataset in datasets:
        check_split(dataset, test_split_allowed)
    titles = [dataset.title for dataset in datasets]
    if not titles or len(set(titles)) < len(titles):
        raise InputError(f"data {', '.join(titles) or 'none'}: give at least one data set, without duplicates")


def pick_samples(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """`count` of the samples drawn by `seed`, or all of them where there are fewer, in their own order."""
    whole_number(count, "count", 2)  # one photograph is not enough
    if len(samples) <= count:
        return list(samples)
    chosen = np.random.default_rng(seed).choice(len(samples), size=count, replace=False)
    return [samples[index] for index in sorted(chosen)]


def calibrate(
    predictor: Predictor,
    dataset: Dataset | Sequence[Dataset],
    sizes: Sequence[int],
    *,
    count: int = 30,
    seed: int = 0,
    prompts: Sequence[PromptSpec] = PROMPTS,
    test_split_allowed: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Calibration:
    """Search for the mode with the highest mean IoU on photographs of `dataset`, or of several.

    Args:
        predictor: on the model to calibrate; its mode changes during the search and is the chosen one in the end.
        sizes: long sides in pixels to calibrate for, with equal weights.
        count: photographs per data set at most, drawn by `seed`; all photographs have equal weights.
        prompts: made from the ground truth, one mask per prompt; equal weights, as for the objects of a photograph.
        progress: called with the name of the pass, the photographs done and those in the pass.

    Raises:
        TestSplitError: see `check_split`.
        ValueError: fewer than two usable photographs, no size, or a data set twice.
    """
    instance_of(predictor, "predictor", Predictor)
    datasets = [dataset] if isinstance(dataset, Dataset) else list(dataset)
    check_datasets(datasets, test_split_allowed)
    if not sizes:
        raise InputError("sizes is empty: give at least one long side in pixels")
    issues = Issues()
    samples = [(dataset.title, sample) for dataset in datasets for sample in pick_samples(dataset.samples, count, seed)]
    measured: dict[BiasMode, Candidate] = {}
    best = BiasMode.off()
    for number, vary in enumerate(PASSES):
        modes = [canonical(mode) for mode in ([best] if number == 0 else []) + vary(best)]
        modes = [mode for mode in dict.fromkeys(modes) if mode not in measured]
        table: dict[BiasMode, list[tuple[float, ...]]] = {mode: [] for mode in modes}
        used = []
        for done, (title, sample) in enumerate(samples, start=1):
            try:
                scores = measure_photo(predictor, sample, modes, sizes, prompts, seed, issues if number == 0 else Issues())
            except SampleError as error:
                if number:
                    raise  # it could be read a pass ago
                issues.extend(error.issues)
            else:
                used.append((title, sample))
                for mode in modes:
                    table[mode].append(scores[mode])
            if progress is not None:
                progress(vary.__name__, done, len(samples))
        samples = used
        if len(samples) < 2:
            why = "; ".join(map(str, list(issues)[:3]))
            titles = ", ".join(dataset.title for dataset in datasets)
            raise InputError(
                f"{titles}: {len(samples)} usable photographs, at least 2 are needed to choose anything"
                + (f"; left out: {why}{', ...' if len(issues) > 3 else ''}" if why else "")
            )
        measured |= {mode: Candidate(mode, tuple(rows)) for mode, rows in table.items()}
        best = max(measured.values(), key=lambda candidate: candidate.mean).mode
    candidates = list(measured.values())
    chosen = choose(candidates)
    predictor.mode = chosen.mode
    photos: dict[str, list[str]] = {dataset.title: [] for dataset in datasets}
    for title, sample in samples:
        photos[title].append(sample.id)
    return Calibration(candidates, chosen, photos, issues)


def measure_photo(
    predictor: Predictor,
    sample: Sample,
    modes: Sequence[BiasMode],
    sizes: Sequence[int | None],
    prompts: Sequence[PromptSpec],
    seed: int,
    issues: Issues,
    focus: Focus | None = None,
) -> dict[BiasMode, tuple[float, ...]]:
    """Mean IoU of one photograph for every mode and size (None: native); it is read once.

    With `focus` prompts are predicted on their regions, and sizes are those of the regions.

    Raises:
        SampleError: it cannot be read, or is smaller than a patch at native resolution.
    """
    loaded, image = read_sample(sample, predictor.attachment.geometry.patch if None in sizes else 1)
    issues.extend(loaded.issues)
    instances = few_instances(loaded.instances, seed)
    arguments = [
        (
            instance,
            make_prompt(
                spec, instance.mask, seed=seed, sample_id=sample.id, instance_id=instance.id, ignored=loaded.ignored
            ).arguments(),
        )
        for instance in instances
        for spec in prompts
    ]
    result = {}
    for mode in modes:
        predictor.mode = mode
        means = []
        for size in sizes:
            predictor.set_image(image, long_side=size)
            regions = False if focus is None else replace(focus, side=size)
            means.append(statistics.fmean(ious(predictor, arguments, loaded.ignored, regions)))
        result[mode] = tuple(means)
    return result


def few_instances(instances: Sequence[Instance], seed: int) -> Sequence[Instance]:
    """At most `INSTANCES` of a photograph's objects, drawn by `seed`, in their own order."""
    if len(instances) <= INSTANCES:
        return instances
    order = np.random.default_rng(seed).permutation(len(instances))
    return [instances[index] for index in sorted(order[:INSTANCES])]


def ious(
    predictor: Predictor,
    arguments: Sequence[tuple[Instance, dict]],
    ignored: np.ndarray | None = None,
    focus: Focus | bool = False,
) -> Iterator[float]:
    """IoU of every prompt on the current image, at the ground truth's own size, without `ignored` pixels."""
    for instance, prompt in arguments:
        predicted, _, _ = predictor.predict(**prompt, multimask_output=False, focus=focus)
        yield measure(predicted[0].astype(np.float32), instance.mask, ["iou"], ignored=ignored)["iou"]
