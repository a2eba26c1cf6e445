"""The rule by which defaults are proposed. It was written down before the figures it is applied to were seen.

1. Generated scenes of even seeds are for choosing; what is chosen is reported on scenes of odd seeds, which had no say.
2. Every configuration is measured at 512 px in both regimes. Its score is the mean IoU over both regimes and both prompts,
   which count alike. Of the swept ones the SHORTLIST best go on to all sizes, with those that every point has anyway.
3. Of these, a configuration with a significant loss in "more detail" is out: the 95 % interval of its paired difference to
   plain, over all sizes above the trained one and both prompts, lies below 0.
4. Of the rest, by the mean over all sizes above the trained one (regimes count alike, and so do sizes and prompts in them): the
   weakest correction that is no worse than the best by more than the standard error of their paired difference
   (`basam.lab.calibration.choice`). Plain SAM takes part and is the weakest.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from basam.lab.calibration import Candidate, choose
from studies.length_study.configurations import ALL, DECODER, PLAIN, SQUEEZED, SWEEPS, names
from studies.length_study.measuring import PROMPTS
from studies.length_study.pictures import for_choosing
from studies.length_study.results import Estimate, Point, Study, estimate

SHORTLIST = 4
FIRST_POINTS = (Point("detail", 512), Point("scene", 512))
FINAL_POINTS = (
    *(Point("detail", size) for size in (384, 512, 768, 1024)),
    *(Point("scene", size) for size in (512, 768, 1024)),
)


def row(study: Study, name: str, unit: str, points: Sequence[Point]) -> tuple[float, float] | None:
    """Mean IoU of a unit in `detail` and in `scene`, over points and prompts; None where one of them was not measured."""
    means = []
    for regime in ("detail", "scene"):
        cells = [study.of(point, name, prompt).get(unit) for point in points if point.regime == regime for prompt in PROMPTS]
        if None in cells:
            return None
        means.append(statistics.fmean(cell for cell in cells if cell is not None))
    return means[0], means[1]


def candidates(study: Study, wanted: Iterable[str], points: Sequence[Point]) -> dict[str, Candidate]:
    """By name, over the choosing units that have all that is wanted; plain first. Empty with fewer than two such units."""
    names_wanted = dict.fromkeys([PLAIN.name, *wanted])
    rows = {
        unit: [row(study, name, unit, points) for name in names_wanted]
        for unit in study.of(points[0], PLAIN.name, PROMPTS[0])
        if for_choosing(unit)
    }
    whole = [[one for one in rows[unit] if one] for unit in sorted(rows) if None not in rows[unit]]
    if len(whole) < 2:
        return {}
    columns = zip(*whole, strict=True)
    return {name: Candidate(ALL[name].mode, tuple(column)) for name, column in zip(names_wanted, columns, strict=True)}


def detail_difference(candidate: Candidate, plain: Candidate) -> Estimate:
    """Paired difference to plain in `detail`."""
    return estimate(one[0] - other[0] for one, other in zip(candidate.scores, plain.scores, strict=True))


def allowed(found: dict[str, Candidate]) -> dict[str, Candidate]:
    """Those without a significant loss in `detail`."""
    plain = found[PLAIN.name]
    return {
        name: candidate
        for name, candidate in found.items()
        if candidate is plain or not detail_difference(candidate, plain).is_loss
    }


def shortlist(study: Study) -> tuple[str, ...]:
    """The swept configurations that go on to all sizes, best first; none before the sweep is measured."""
    found = candidates(study, names(SWEEPS), FIRST_POINTS)
    ranked = sorted(found, key=lambda name: found[name].mean, reverse=True)
    return tuple(name for name in ranked if name != PLAIN.name)[:SHORTLIST]


def finalists(study: Study, always: Iterable[str]) -> dict[str, Candidate]:
    """The shortlist and the configurations that every point has, over all sizes above the trained one."""
    listed = shortlist(study)
    everywhere = [name for name in always if name != SQUEEZED.name]
    return candidates(study, (*everywhere, *listed), FINAL_POINTS) if listed else {}


def extras(study: Study, always: Iterable[str]) -> tuple[str, ...]:
    """What is measured everywhere beside what every point has anyway: the scaled decoder, and what the rule picks."""
    picked = chosen(study, always)
    return tuple(dict.fromkeys(name for name in (DECODER.name, picked) if name is not None and name not in always))


def chosen(study: Study, always: Iterable[str]) -> str | None:
    """The name of the configuration that the rule picks; None before all that it needs is measured."""
    found = finalists(study, always)
    if not found:
        return None
    kept = allowed(found)
    picked = choose(list(kept.values()))
    return next(name for name, candidate in kept.items() if candidate is picked)
