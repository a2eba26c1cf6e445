"""Interpretation of the values of a mask file: which pixels are objects, and which are ignored.

| rule | what it makes of a file |
|---|---|
| `threshold` | one object: values above half of the file's range; with no more than 0 and one other value, that other one |
| `nonzero` | one object: every value but 0 |
| `label=K` | one object: the value K |
| `instances` | an object for every value above 0 |

Without a rule, masks are read as by `threshold`, but values that look like labels are rejected: cut at half of the range,
they would silently become another mask. In maps of labels 255 is ignored (Everingham et al., "The PASCAL Visual Object
Classes Challenge", IJCV 2010): such pixels belong to no object, and nothing is measured or learnt on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from basam.checks import check_fields
from basam.files import MAX_PIXELS
from basam.lab.data.base import Instance
from basam.lab.data.issues import DatasetError, Issue, SampleError
from basam.lab.data.mask_values import FLAT, FULL_32, MaskValues, counts_of, flat_share, read_values

OPTION = "say what they mean: --mask-values nonzero, threshold, label=K or instances"
KINDS_OF_RULE = ("nonzero", "threshold", "label", "instances")
IGNORED = 255
# More of them are no map of objects but a picture of something else.
MOST_INSTANCES = 10_000
# How near to black and white, as a share of the range, values still count as such: noise of what once was a JPEG file.
NEAR, NEAR_LOSSY = 0.04, 0.25
FEW = 4  # values just above black that may be labels; noise has more
MOST_NAMED = 8


@dataclass(frozen=True)
class MaskRule:
    """One of the rules above; `str(rule)` is what `parse` reads.

    Raises:
        DatasetError: an unknown kind, or a label that is missing or below 0.
    """

    kind: str
    label: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in KINDS_OF_RULE or (self.kind == "label") != (self.label is not None and self.label >= 0):
            raise DatasetError(f"mask values {str(self)!r}: nonzero, threshold, label=K or instances is needed")

    @classmethod
    def parse(cls, text: str) -> MaskRule:
        """`nonzero`, `threshold`, `label=15` or `instances`."""
        match = re.fullmatch(r"label=(\d{1,8})", text.strip())
        return cls("label", int(match[1])) if match else cls(text.strip())

    def __str__(self) -> str:
        return self.kind if self.label is None else f"{self.kind}={self.label}"


THRESHOLD = MaskRule("threshold")


@dataclass(frozen=True, eq=False)
class MaskContent:
    """The objects of a mask file (at least one), ignored pixels `(H, W)` bool (None: none), and notes on what was unusual."""

    instances: tuple[Instance, ...]
    ignored: np.ndarray | None
    issues: tuple[Issue, ...]


def read_objects(path: Path, rule: MaskRule | None = None, max_pixels: int | None = MAX_PIXELS) -> MaskContent:
    """The objects in the mask file `path` under `rule` (None: as `threshold`, but labels are rejected).

    Raises:
        SampleError: the file cannot be read, its values make no sense under the rule, or no object is left.
    """
    values = read_values(path, max_pixels)
    if rule is not None and rule.kind in ("label", "instances"):
        content = _labelled(values, rule, path)
    elif rule is not None and rule.kind == "nonzero":
        content = _nonzero(values, path)
    else:
        content = _bright(values, path, refuse_labels=rule is None)
    ignored, issues = content.ignored, list(content.issues)
    if values.from_alpha:
        issues.append(Issue("alpha-mask", str(path)))
    if values.unknown is not None:
        issues.append(Issue("no-value", str(path), f"{int(values.unknown.sum())} pixels"))
        ignored = values.unknown if ignored is None else ignored | values.unknown
    return MaskContent(content.instances, ignored, tuple(issues))


def _bright(values: MaskValues, path: Path, refuse_labels: bool) -> MaskContent:
    """One object, cut at half of the range."""
    counts = counts_of(values.values)
    labels = [value for value in counts if value != 0]
    if not labels:
        raise SampleError(Issue("empty-mask", str(path)))
    lowest, highest = min(counts), max(counts)
    if len(labels) == 1 and highest > 0 and (0 in counts or highest in (1, values.full)) and not values.coloured:
        return _one(values.values != 0, None, _notes_on(highest, values.full, path))
    if refuse_labels and (lowest < 0 or looks_like_labels(values)):
        raise SampleError(Issue("label-mask", str(path), f"{listed(values)}; {OPTION}"))
    full = full_of(values)
    mask = values.values > full / 2
    if not mask.any():
        raise SampleError(Issue("empty-mask", str(path), f"all values are below half of {full:g}, the highest is {highest:g}"))
    between = sum(count for value, count in counts.items() if value not in (0, full))
    detail = f"{between} pixels, {between / mask.size:.2%}"
    return _one(mask, None, (Issue("non-binary-mask", str(path), detail),) if between else ())


def _notes_on(value: float, full: int | None, path: Path) -> tuple[Issue, ...]:
    """The description of a mask of 0 and `value`."""
    if value in (full, 255, 65535, FULL_32):
        return ()
    return (Issue("zero-one-mask", str(path)) if value == 1 else Issue("two-value-mask", str(path), f"value {value:g}"),)


def full_of(values: MaskValues) -> float:
    """The value of white: the maximum of 8 bits, else the smallest usual limit that no value exceeds."""
    highest = float(values.values.max())
    if values.full is not None and values.full <= 255:
        return float(values.full)
    return next((float(full) for full in (1, 255, 65535) if highest <= full), highest)


def looks_like_labels(values: MaskValues) -> bool:
    """Whether the values between black and white are areas of their own rather than a soft edge or the noise of a codec."""
    shown = values.separated
    if shown.dtype.kind not in "iu":
        return False  # fractions
    counts = counts_of(shown)
    if values.coloured:
        return flat_share(shown, shown != 0) >= FLAT
    full = full_of(values)
    if max(counts) < full / 2 and not values.lossy:
        return 1 < len(counts) <= 256 and not _is_smooth(shown, len(counts), full)  # cut at half, nothing would be left
    near = full * (NEAR_LOSSY if values.lossy else NEAR)
    noisy = values.lossy or (any(full - near <= value < full for value in counts) and not _has_low_labels(shown, counts, near))
    between = (shown > near * noisy) & (shown < full - near)
    return bool(between.any()) and flat_share(shown, between) >= FLAT and not _is_smooth(shown, len(counts), full)


def _has_low_labels(shown: np.ndarray, counts: dict[float, int], near: float) -> bool:
    """Whether values just above 0 are areas on a background of 0, and no noise of it."""
    small = [count for value, count in counts.items() if 0 < value <= near]
    if len(small) > FEW or counts.get(0, 0) <= sum(small):
        return False
    return flat_share(shown, (shown > 0) & (shown <= near)) >= FLAT


def _is_smooth(shown: np.ndarray, distinct: int, full: float) -> bool:
    """Whether a value changes into another by small steps, as in a feathered edge, however wide."""
    if distinct < 32:
        return False
    steps = [np.abs(np.diff(shown.astype(np.int64), axis=axis)).ravel() for axis in (0, 1)]
    changes = np.concatenate([step[step > 0] for step in steps])
    return bool(np.percentile(changes, 95) <= NEAR * full)


def listed(values: MaskValues) -> str:
    """The values of a file, the first of them where there are many."""
    labels = values.separated if values.labels is None or values.from_alpha else values.labels
    colours = values.coloured and labels.dtype == np.int32
    texts = [f"({v % 256}, {v // 256 % 256}, {v // 65536})" if colours else f"{v:g}" for v in counts_of(labels)]
    more = f", ... {texts[-1]} ({len(texts)} in all)" if len(texts) > MOST_NAMED else ""
    return f"{'colours' if colours else 'values'} {', '.join(texts[:MOST_NAMED])}{more}"


def _nonzero(values: MaskValues, path: Path) -> MaskContent:
    shown = values.separated
    counts, mask, ignored = counts_of(shown), shown != 0, None
    others = [value for value in counts if value not in (0, IGNORED)]
    # In a trimap mid-grey is "unknown" and 255 the object.
    if (
        IGNORED in counts
        and others
        and others not in ([127], [128])
        and _is_grey_or_index(values)
        and looks_like_labels(values)
    ):
        ignored = shown == IGNORED
        mask &= ~ignored
    if not mask.any():
        raise SampleError(Issue("empty-mask", str(path)))
    return _one(mask, ignored, ())


def _is_grey_or_index(values: MaskValues) -> bool:
    """Whether 255 is a value of its own and not the colour red."""
    return not values.coloured or values.separated.dtype == np.uint8


def _labelled(values: MaskValues, rule: MaskRule, path: Path) -> MaskContent:
    labels = values.labels
    if labels is None or values.lossy:
        detail = "JPEG changes values" if values.lossy else "it holds fractions or 16-bit colours"
        raise SampleError(Issue("unreadable-mask", str(path), f"labels are needed, and {detail}"))
    counts = counts_of(labels)
    skipped = [value for value in counts if value < 0]
    # More than 8 bits may number more than 254 objects.
    if rule.label != IGNORED and (labels.dtype == np.uint8 or (rule.kind == "label" and max(counts) == IGNORED)):
        skipped.append(IGNORED)
    ignored = np.isin(labels, skipped) if any(value in counts for value in skipped) else None
    ids = [int(value) for value in counts if value > 0 and value not in skipped] if rule.label is None else [rule.label]
    if not any(value in counts for value in ids):
        wanted = "object" if rule.label is None else f"pixel of the value {rule.label}"
        raise SampleError(Issue("empty-mask", str(path), f"no {wanted}: {listed(values)}"))
    if rule.label is not None:
        return _one(labels == rule.label, ignored, ())
    if len(ids) > MOST_INSTANCES:
        raise SampleError(Issue("unreadable-mask", str(path), f"{len(ids)} different values: this is no map of objects"))
    return MaskContent(tuple(Instance(str(value), labels, label=value) for value in ids), ignored, ())


def _one(mask: np.ndarray, ignored: np.ndarray | None, issues: tuple[Issue, ...]) -> MaskContent:
    return MaskContent((Instance("0", mask),), ignored, issues)
