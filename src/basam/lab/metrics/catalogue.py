"""All metrics: function, columns in tables, and whether higher is better.

There are two conventions, and every title names the one it uses:

- metrics of published saliency tables stretch every prediction to 0..1 first (min-max) after storing it in 8 bits;
- metrics of the mask as it is delivered take the probabilities as they are and cut them at 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from basam.errors import InputError
from basam.lab.metrics import boundary, saliency
from basam.lab.metrics.case import Case

Convention = Literal["min-max", "as delivered"]


@dataclass(frozen=True)
class Column:
    """One figure of a summary. `higher_is_better`: which end reports mark as the best."""

    title: str
    higher_is_better: bool
    convention: Convention


@dataclass(frozen=True)
class Metric:
    """One entry of `METRICS`.

    Attributes:
        function: from a case to entries of its record: numbers by the names of `columns`, None where the metric is not
            defined; or `NAME_curve` (see `curves`), of which the columns `NAME_mean` and `NAME_max` are made.
        columns: what `summarise` makes of them.
        needs_image: it looks at the photograph.
    """

    function: Callable[[Case], dict[str, Any]]
    columns: dict[str, Column]
    needs_image: bool = False


def _one(function: Callable[[Case], dict[str, Any]], title: str, higher: bool, convention: Convention) -> Metric:
    """A metric of one number, whose column has the name of its function."""
    return Metric(function, {function.__name__: Column(title, higher, convention)})


def _of_curve(function: Callable[[Case], dict[str, Any]], name: str, title: str) -> Metric:
    """A metric with a curve of the name, and an adaptive threshold."""
    forms = ("mean", "max", "adaptive")
    before, _, letter = title.rpartition(" ")
    titles = [" ".join(filter(None, (before, form, letter))) for form in forms]
    columns = {f"{name}_{form}": Column(words, True, "min-max") for form, words in zip(forms, titles, strict=True)}
    return Metric(function, columns)


# Every metric, by the name that `measure` takes. A new one is a function and an entry here.
METRICS = {
    "s_measure": _one(saliency.s_measure, "S-measure", True, "min-max"),
    "e_measure": _of_curve(saliency.e_measure, "e", "E"),
    "f_measure": _of_curve(saliency.f_measure, "f", "F"),
    "weighted_f": _one(saliency.weighted_f, "weighted F", True, "min-max"),
    "mae": _one(saliency.mae, "MAE", False, "as delivered"),
    "mae_minmax": _one(saliency.mae_minmax, "MAE (min-max)", False, "min-max"),
    "iou": _one(saliency.iou, "IoU", True, "as delivered"),
    "dice": _one(saliency.dice, "Dice", True, "as delivered"),
    "boundary_iou": _one(boundary.boundary_iou, "boundary IoU", True, "as delivered"),
    "hce": _one(saliency.hce, "HCE", False, "min-max"),
    "context_measure": _one(saliency.context_measure, "context measure", True, "min-max"),
    "camouflage_context_measure": Metric(
        saliency.camouflage_context_measure,
        {"camouflage_context_measure": Column("camouflage context measure", True, "min-max")},
        needs_image=True,
    ),
    "si_f_measure": _of_curve(saliency.si_f_measure, "si_f", "size-invariant F"),
    "si_mae": _one(saliency.si_mae, "size-invariant MAE", False, "min-max"),
}

# Figures of a whole data set, which `coco_ap` computes from all masks.
_AP = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_small": "APs", "ap_medium": "APm", "ap_large": "APl"}

COLUMNS = {name: column for metric in METRICS.values() for name, column in metric.columns.items()}
COLUMNS |= {name: Column(title, True, "as delivered") for name, title in _AP.items()}

_MASK = ("iou", "dice", "boundary_iou", "mae")
_SALIENCY = ("s_measure", "e_measure", "f_measure", "weighted_f", "mae_minmax", *_MASK)
_CAMOUFLAGE = (*_SALIENCY, "context_measure", "camouflage_context_measure")
_OF_KIND = {
    "dis5k": (*_SALIENCY, "hce"),
    "duts": (*_SALIENCY, "si_f_measure", "si_mae"),
    "cod10k": _CAMOUFLAGE,
    "camouflage": _CAMOUFLAGE,
    "coco": _MASK,
}


@dataclass(frozen=True)
class OneNumber:
    """The function of a registered metric: a number becomes the record's entry of that name. Worker processes get it too."""

    name: str
    function: Callable[[Case], float | None]

    def __call__(self, case: Case) -> dict[str, Any]:
        value = self.function(case)
        return {self.name: None if value is None else float(value)}


def register_metric(
    name: str,
    function: Callable[[Case], float | None],
    *,
    title: str | None = None,
    higher_is_better: bool = True,
    convention: Convention = "as delivered",
    needs_image: bool = False,
) -> None:
    """Make a metric of your own known to `measure`, `evaluate`, tables and plots, under `name`.

    Args:
        function: from a `Case` to a number, or None where the metric is not defined. It has to be importable (not a lambda)
            when metrics run in worker processes.
        title: of its column; None: the name.

    Raises:
        ValueError: the name is taken by a built-in metric, or is not one word.
    """
    known = METRICS.get(name)
    if not name.isidentifier() or ((name in COLUMNS or known is not None) and not is_registered(name)):
        raise InputError(f"metric {name!r}: a name of one word that no built-in metric has is needed")
    column = Column(title or name, higher_is_better, convention)
    METRICS[name] = Metric(OneNumber(name, function), {name: column}, needs_image)
    COLUMNS[name] = column


def is_registered(name: str) -> bool:
    return name in METRICS and isinstance(METRICS[name].function, OneNumber)


def registered_metrics() -> dict[str, Metric]:
    """The metrics that were registered in this process."""
    return {name: metric for name, metric in METRICS.items() if is_registered(name)}


def metrics_for(kind: str) -> tuple[str, ...]:
    """The default metrics of a data set of this kind: those that its papers report, and mask metrics."""
    return _OF_KIND.get(kind, _SALIENCY)
