"""The stages of the study, in the order of their worth: what is stopped early has the most important figures.

Each stage is a list of tasks for what is still missing, made when the stage begins: later stages depend on what earlier ones
found (see `choosing`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from basam.lab.evaluation import Results
from basam.lab.evaluation import chosen as evenly
from studies.length_study.choosing import FINAL_POINTS, FIRST_POINTS, extras, shortlist
from studies.length_study.configurations import CORE, PLAIN, SQUEEZED, SWEEPS, USUAL, names
from studies.length_study.measuring import ENTROPY, FLOAT32, PROMPTS, Task
from studies.length_study.pictures import PHOTOS, for_choosing, photo_sides, photos_of, sample_id
from studies.length_study.results import Point, Study

SIZES = (128, 192, 256, 384, 512, 768, 1024)
POINTS = (*(Point("detail", size) for size in SIZES), *(Point("scene", size) for size in (512, 768, 1024)))
LARGE = tuple(point for point in POINTS if point.size > 512)
PHOTO_SIZES = SIZES
PHOTO_NAMES = names((SQUEEZED, *USUAL))
ENTROPY_NAMES = names(USUAL)
FLOAT32_NAMES = names((PLAIN, USUAL[3]))
CORE_NAMES = names(CORE)


@dataclass(frozen=True)
class Amounts:
    """Units: pictures of each generated point; `large` of those over 512 px at first; `few` for entropy and float32."""

    units: int = 200
    large: int = 60
    few: int = 20
    photos: int | None = None  # a set, evenly spaced; None: all


@dataclass(frozen=True)
class Stage:
    """name, and for every sample: which configurations at which sizes."""

    name: str
    kind: str
    wanted: dict[str, dict[int, tuple[str, ...]]]

    def tasks(self, results: Results) -> Iterator[Task]:
        """What is missing, sample by sample, so that whatever is stopped has the first samples at every size."""
        for sample, by_size in self.wanted.items():
            if sample in results.issues:
                continue
            missing = {size: absent(results, self.kind, sample, size, wanted) for size, wanted in by_size.items()}
            missing = {size: wanted for size, wanted in missing.items() if wanted}
            if sample.split("/")[0] in PHOTOS and missing:
                yield Task(self.kind, sample, missing)
            else:
                yield from (Task(self.kind, sample, {size: wanted}) for size, wanted in missing.items())


def absent(results: Results, kind: str, sample: str, size: int, wanted: Iterable[str]) -> tuple[str, ...]:
    """The configurations of which a line is missing."""
    suffix = FLOAT32 if kind == "float32" else ""
    prompts = (ENTROPY,) if kind == ENTROPY else PROMPTS
    return tuple(
        name for name in wanted if any((sample, size, name + suffix, prompt) not in results.measured for prompt in prompts)
    )


def generated_stage(
    name: str, points: Iterable[Point], wanted: Sequence[str], units: Iterable[int], kind: str = "quality"
) -> Stage:
    by_sample: dict[str, dict[int, tuple[str, ...]]] = {}
    points = list(points)
    for unit in units:
        for regime, size in points:
            by_sample.setdefault(sample_id(regime, unit), {})[size] = tuple(wanted)
    return Stage(name, kind, by_sample)


def photo_stage(name: str, data: Path, wanted: Sequence[str], limit: int | None) -> Stage:
    """Every photograph at the sizes that it reaches without being enlarged."""
    by_sample: dict[str, dict[int, tuple[str, ...]]] = {}
    for regime in PHOTOS:
        sides = photo_sides(regime, data)
        for photo in evenly(photos_of(regime, data), limit):
            sample = f"{regime}/{photo.id}"
            by_sample[sample] = {size: tuple(wanted) for size in PHOTO_SIZES if size <= sides[sample]}
    return Stage(name, "quality", by_sample)


def stages(results: Results, amounts: Amounts, data: Path | None) -> Iterator[Stage]:
    """All stages; `results` grow between them. `data`: the folder of photographs, None to leave them out."""

    def choosing(count: int) -> list[int]:
        return [unit for unit in range(count) if for_choosing(sample_id("detail", unit))]

    def study() -> Study:
        return Study(results.measured.values())

    units, large, few = range(amounts.units), range(min(amounts.large, amounts.units)), range(min(amounts.few, amounts.units))
    small = [point for point in POINTS if point.size <= 512]
    yield generated_stage("up to 512 px", small, CORE_NAMES, units)
    yield generated_stage("slopes and strengths at 512 px", FIRST_POINTS, names(SWEEPS), choosing(amounts.units))
    yield generated_stage("entropy", POINTS, ENTROPY_NAMES, few, ENTROPY)
    yield generated_stage("768 and 1024 px", LARGE, CORE_NAMES, large)
    yield generated_stage("shortlist", FINAL_POINTS, shortlist(study()), choosing(len(large)))
    extra = extras(study(), CORE_NAMES)
    yield generated_stage("scaled decoder", POINTS, extra, large)
    yield generated_stage("scaled decoder up to 512 px", small, extra, units)
    if data is not None:
        yield photo_stage(
            "photographs", data, (*PHOTO_NAMES, *(name for name in extra if name not in PHOTO_NAMES)), amounts.photos
        )
    yield generated_stage("float32", FIRST_POINTS, FLOAT32_NAMES, few, "float32")
    yield generated_stage("more at 768 and 1024 px", LARGE, (*CORE_NAMES, *extra), units)


def costs(results: Results) -> dict[tuple[str, str, int], float]:
    """Seconds of one core for one configuration, mean, by kind of line (a prompt or `entropy`), regime and size."""
    sums: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for (sample, size, _, prompt), line in results.measured.items():
        sums[prompt, sample.split("/")[0], int(size)].append(line["seconds"])
    return {key: sum(values) / len(values) for key, values in sums.items()}


def expected_seconds(tasks: Iterable[Task], cost: dict[tuple[str, str, int], float]) -> float:
    """Seconds of one core that tasks will take by these costs; sizes without a cost count as nothing."""
    total = 0.0
    for task in tasks:
        regime = task.sample.split("/")[0]
        prompts = (ENTROPY,) if task.kind == ENTROPY else PROMPTS
        total += sum(
            len(wanted) * cost.get((prompt, regime, size), 0) for size, wanted in task.wanted.items() for prompt in prompts
        )
    return total
