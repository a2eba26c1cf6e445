"""The tables of the page, in markdown, by the name of the block that they fill."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from basam.lab import markdown
from basam.lab.evaluation import paired_difference
from studies.length_study import choosing
from studies.length_study.configurations import ALL, CORE, PLAIN, SQUEEZED, SWEEPS, USUAL, names
from studies.length_study.measuring import FLOAT32, PROMPTS
from studies.length_study.pictures import PHOTOS, TRAINED, for_choosing
from studies.length_study.plan import CORE_NAMES, ENTROPY_NAMES, FLOAT32_NAMES, PHOTO_SIZES, POINTS
from studies.length_study.results import ALL_PHOTOS, Estimate, Point, Study

PROMPT_NAMES = {"gt-box": "box", "gt-point": "click"}
NOTHING = "Not measured yet."


def difference_cell(found: Estimate | None) -> str:
    """Mean difference and interval; bold where it is a gain or a loss."""
    if found is None:
        return ""
    if found.low == found.high == 0:
        return "same"
    mean = f"{found.mean:+.3f}"
    return f"{f'**{mean}**' if found.is_gain or found.is_loss else mean} ({found.low:+.3f} to {found.high:+.3f})"


def point_name(point: Point) -> str:
    if point.regime == "scene":
        tiles = point.size // TRAINED
        return f"{tiles} x {tiles}, {point.size} px"
    return f"{point.size} px"


def points_of(regime: str) -> list[Point]:
    sizes = PHOTO_SIZES if regime in (ALL_PHOTOS, *PHOTOS) else [point.size for point in POINTS if point.regime == regime]
    return [Point(regime, size) for size in sizes]


def comparison(
    study: Study, points: Iterable[Point], wanted: Sequence[str], metric: str = "iou", keep: Callable[[str], bool] = bool
) -> str:
    """A row a point and prompt: the mean of plain SAM, and the paired differences of the wanted configurations to it."""
    rows = []
    for point in points:
        for prompt in PROMPTS:
            plain = study.mean(point, PLAIN.name, prompt, metric, keep)
            if plain is None:
                continue
            differences = [study.difference((point, name), (point, PLAIN.name), prompt, metric, keep) for name in wanted]
            cells = [point_name(point), PROMPT_NAMES[prompt], str(plain.units), f"{plain.mean:.3f}"]
            rows.append(cells + [difference_cell(found) for found in differences])
    return markdown(["size", "prompt", "pictures", "plain", *wanted], rows) if rows else NOTHING


def falls(study: Study) -> str:
    """Plain SAM at every size less plain SAM at the trained size, on the same scenes."""
    rows = []
    for point in POINTS:
        base = Point(point.regime, TRAINED)
        for prompt in PROMPTS:
            here = study.mean(point, PLAIN.name, prompt)
            if here is None or point.size == TRAINED:
                continue
            found = study.difference((point, PLAIN.name), (base, PLAIN.name), prompt)
            boundary = study.difference((point, PLAIN.name), (base, PLAIN.name), prompt, "boundary_iou")
            cells = [point.regime, point_name(point), PROMPT_NAMES[prompt], str(here.units), f"{here.mean:.3f}"]
            rows.append([*cells, difference_cell(found), difference_cell(boundary)])
    header = ["more", "size", "prompt", "scenes", "IoU", "minus IoU at 256 px", "minus boundary IoU at 256 px"]
    return markdown(header, rows) if rows else NOTHING


def by_set(study: Study, wanted: Sequence[str]) -> str:
    """Each set of photographs at 512 and 1024 px."""
    parts = []
    for regime in PHOTOS:
        table = comparison(study, [Point(regime, 512), Point(regime, 1024)], wanted)
        parts.append(f"**{PHOTO_TITLES[regime]}**\n\n{table}")
    return "\n\n".join(parts)


PHOTO_TITLES = {
    "coco": "COCO val2017, objects over 32 x 32 px",
    "isic": "ISIC2017 test",
    "duts": "standin-DUTS DUTS-TE",
    "dis": "standin-DIS5K DIS-TE",
}


class Rise(NamedTuple):
    """Mean rise of entropy at a point over plain SAM at the trained size, in nats: one per layer, over `units` pictures."""

    point: Point
    by_layer: list[float]
    units: int


def rises(study: Study, regime: str, name: str) -> list[Rise]:
    """Of every point that was measured, the trained size excepted."""
    base = study.layers.get((Point("detail", TRAINED), PLAIN.name), {})
    found = []
    for point in points_of(regime):
        layers = study.layers.get((point, name), {})
        units = [unit for unit in layers if unit in base]
        if units and point.size != TRAINED:
            columns = zip(*([a - b for a, b in zip(layers[u], base[u], strict=True)] for u in units), strict=True)
            found.append(Rise(point, [statistics.fmean(column) for column in columns], len(units)))
    return found


def log_ratio(point: Point) -> float:
    """ln(n / n0) of a square picture."""
    return 2 * math.log(point.size / TRAINED)


def entropy(study: Study) -> str:
    """The mean rise over layers: a row a point, a column a configuration."""
    rows = []
    for regime in ("detail", "scene"):
        found = {name: {rise.point: rise for rise in rises(study, regime, name)} for name in ENTROPY_NAMES}
        for point, plain in found[PLAIN.name].items():
            there = [found[name].get(point) for name in ENTROPY_NAMES]
            means = [f"{statistics.fmean(rise.by_layer):+.2f}" if rise else "" for rise in there]
            rows.append([regime, point_name(point), str(plain.units), f"{log_ratio(point):+.2f}", *means])
    return markdown(["more", "size", "scenes", "ln(n/n0)", *ENTROPY_NAMES], rows) if rows else NOTHING


def entropy_by_layer(study: Study, layers: Sequence[int]) -> str:
    rows = []
    for regime in ("detail", "scene"):
        for name in ENTROPY_NAMES:
            for point, numbers, count in rises(study, regime, name):
                cells = [regime, point_name(point), name, str(count), f"{log_ratio(point):+.2f}"]
                rows.append([*cells, *(f"{number:+.2f}" for number in numbers)])
    rows.sort(key=lambda cells: (cells[0], float(cells[4])))
    header = ["more", "size", "configuration", "scenes", "ln(n/n0)", *(f"layer {layer}" for layer in layers)]
    return markdown(header, rows) if rows else NOTHING


def sweeps(study: Study) -> str:
    """Paired differences to plain SAM of all that was swept, on the scenes for choosing."""
    columns = [(point, prompt) for point in choosing.FIRST_POINTS for prompt in PROMPTS]
    rows = []
    for name in names((*(c for c in CORE if c not in (SQUEEZED, PLAIN)), *SWEEPS)):
        found = [study.difference((p, name), (p, PLAIN.name), prompt, keep=for_choosing) for p, prompt in columns]
        if any(found):
            rows.append([name, *map(difference_cell, found)])
    header = ["configuration", *(f"more {point.regime}, {PROMPT_NAMES[prompt]}" for point, prompt in columns)]
    return markdown(header, rows) if rows else NOTHING


def choice(study: Study) -> str:
    """The last step of the rule: every finalist, and which one is picked."""
    found = choosing.finalists(study, CORE_NAMES)
    if not found:
        return NOTHING
    plain, picked, kept = found[PLAIN.name], choosing.chosen(study, CORE_NAMES), choosing.allowed(found)
    rows = []
    for name in sorted(found, key=lambda name: found[name].mean, reverse=True):
        candidate = found[name]
        difference, error = paired_difference(candidate.by_photo, plain.by_photo)
        verdict = "**picked**" if name == picked else "" if name in kept else "out: loses in more detail"
        means = [statistics.fmean(column) for column in zip(*candidate.scores, strict=True)]
        cells = [name, f"{candidate.mean:.4f}", *(f"{mean:.4f}" for mean in means), f"{difference:+.4f} ± {error:.4f}"]
        rows.append([*cells, difference_cell(choosing.detail_difference(candidate, plain)), verdict])
    header = [
        "configuration",
        "score",
        "more detail",
        "more scene",
        "minus plain ± standard error",
        "in more detail (95 %)",
        "",
    ]
    return f"{len(plain.scores)} scenes of even seeds.\n\n{markdown(header, rows)}"


def in_float32(study: Study) -> str:
    """What bfloat16 changes: the encoder in bfloat16 less the encoder in float32, on the same scenes."""
    rows = []
    for point in choosing.FIRST_POINTS:
        for name in FLOAT32_NAMES:
            for prompt in PROMPTS:
                found = study.difference((point, name), (point, name + FLOAT32), prompt)
                if found is not None:
                    values = f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
                    rows.append([point.regime, point_name(point), name, PROMPT_NAMES[prompt], str(found.units), values])
    return markdown(["more", "size", "configuration", "prompt", "scenes", "bfloat16 minus float32"], rows) if rows else NOTHING


def blocks(study: Study, layers: Sequence[int]) -> dict[str, str]:
    """All tables."""
    extra = choosing.extras(study, CORE_NAMES)
    interpolated = [SQUEEZED.name, *names(USUAL[1:]), *extra]
    found = {"falls": falls(study)}
    for regime in ("detail", "scene"):
        points = points_of(regime)
        found[regime] = comparison(study, points, interpolated)
        found[f"{regime}-boundary"] = comparison(study, points, interpolated, "boundary_iou")
    on_photos = [SQUEEZED.name, *names(USUAL[1:]), *extra]
    found["photos"] = comparison(study, points_of(ALL_PHOTOS), on_photos)
    found["photos-boundary"] = comparison(study, points_of(ALL_PHOTOS), on_photos, "boundary_iou")
    found["photos-by-set"] = by_set(study, on_photos)
    held_out = [c for c in interpolated if c != SQUEEZED.name]
    after = [point for point in POINTS if point.size > TRAINED]
    found["held-out-detail"] = comparison(study, [p for p in after if p.regime == "detail"], held_out, keep=for_reporting)
    found["held-out-scene"] = comparison(study, [p for p in after if p.regime == "scene"], held_out, keep=for_reporting)
    found |= {"sweeps": sweeps(study), "choice": choice(study), "entropy": entropy(study)}
    found |= {"entropy-by-layer": entropy_by_layer(study, layers), "float32": in_float32(study)}
    return found


def for_reporting(unit: str) -> bool:
    return not for_choosing(unit)


def describe_chosen(name: str) -> str:
    """The configuration as fields of `BiasMode`."""
    mode = ALL[name].mode
    fields = ("scaling", "strength", "slope")
    return ", ".join(f"{field}={getattr(mode, field)!r}" for field in fields)
