"""The methods of an evaluation: how the image is encoded, with which correction, and the style in plots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from basam.method import BiasMode

OFF = BiasMode.off()
PYRAMID = "pyramid"


@dataclass(frozen=True)
class EvaluationMethod:
    """Attributes:
    text: description, for reports.
    label: its name in plots.
    colour, marker, line: of matplotlib; no two methods share one.
    mode: its correction; None: the run's, which is the model's own unless `--mode` names another.
    """

    text: str
    label: str
    colour: str
    marker: str
    line: Any
    mode: BiasMode | None = OFF


# In the order of tables. In a comparison of two, the later one is expected to be better.
METHODS = {
    "resize": EvaluationMethod(
        "plain SAM on the photo at the trained long side, padded to a square as in training (SAM 2, 3: squashed to it)",
        "resize: squeezed to the trained size",
        *("#6c757d", "s", (0, (5, 3))),
    ),
    "plain": EvaluationMethod("plain SAM at this size", "plain SAM", "#d1495b", "o", ":"),
    "factor": EvaluationMethod(
        "only the scaling factor of the published correction",
        *("factor", "#f2727f", "P", (0, (3, 1)), BiasMode(slope=0.0)),
    ),
    "mask": EvaluationMethod(
        "only the mask of the published correction",
        *("mask", "#66a182", "X", (0, (1, 2)), BiasMode(scaling="none")),
    ),
    "published": EvaluationMethod(
        "the published correction at full strength", *("published", "#b56576", "h", (0, (8, 2)), BiasMode())
    ),
    "reach": EvaluationMethod(
        "global layers attend to a neighborhood of the trained size",
        *("reach", "#3f8efc", "p", (0, (4, 1, 1, 1)), BiasMode(reach="trained")),
    ),
    "basam": EvaluationMethod("SAM at this size with the correction of the run", "basam", "#00798c", "^", "-", None),
    "custom": EvaluationMethod("the model that was given to `evaluate`", "custom", "#7f4f24", "*", "--"),
    "focus-plain": EvaluationMethod(
        "the crop around every prompt, at this size, plain SAM", "focus-plain: crops, plain SAM", "#edae49", "v", "-."
    ),
    "focus": EvaluationMethod(
        "the crop around every prompt, at this size, with the correction of the run",
        *("focus: crops, corrected", "#3d348b", "D", (0, (6, 1.5)), None),
    ),
    PYRAMID: EvaluationMethod(
        "the photo encoded once, at several sizes up to this one, every prompt on the part of the level that suits its object",
        *("pyramid: encoded once", "#2d6a4f", "<", (0, (2, 1)), None),
    ),
}
CUSTOM = "custom"
# Default methods: the baselines and the correction.
USUAL_METHODS = ("resize", "plain", "basam")
# Names of modes on the command line that are not names of methods.
MODES = {"off": "plain", "own": "basam"}


def is_focused(method: str) -> bool:
    return method.startswith("focus")


def with_modes(methods: Iterable[str], modes: Iterable[str]) -> tuple[str, ...]:
    """Methods in which `plain` and `basam` are replaced by one per mode, such as `off`, `published` or `own`."""
    others = [method for method in methods if method not in MODES.values()]
    return tuple(dict.fromkeys([*others, *(MODES.get(mode, mode) for mode in modes)]))


def canonical(mode: BiasMode) -> BiasMode:
    """The same mode for all modes with the same effect at every size: fields without effect take their default."""
    off = OFF
    if mode.reach == "trained":  # there is nothing to correct
        mode = replace(mode, scaling="none", slope=mode.slope if mode.schedule == "constant" else 0.0)
    if mode.strength == 0:
        mode = replace(off, aspect=mode.aspect)
    if mode.slope == 0:
        mode = replace(mode, slopes=off.slopes, schedule=off.schedule)
    if mode.slope == 0 and mode.scaling == mode.decoder == mode.tinyvit_windows == "none":
        mode = replace(mode, strength=off.strength)
    return mode


def same_methods(methods: Iterable[str], own: BiasMode) -> list[str]:
    """A note for every method that is the same as an earlier one, so that their figures must be equal.

    `own` is the mode of the run, that of `basam` and `focus`.
    """
    seen: dict[tuple[bool, bool, BiasMode], str] = {}
    notes = []
    for method in (name for name in METHODS if name in methods and name not in ("resize", CUSTOM)):
        fixed = METHODS[method].mode
        first = seen.setdefault((is_focused(method), method == PYRAMID, canonical(own if fixed is None else fixed)), method)
        if first != method:
            way = "; method published is the published correction" if canonical(own) == OFF else ""
            notes.append(f"methods {first} and {method} are the same: the mode of this run is {first}'s{way}")
    return notes
