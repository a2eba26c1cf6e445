"""The names of all metrics, the columns of a table that each gives, and which end of a column is better.

Two conventions meet here, and every title says which one holds:

- metrics of published saliency tables stretch every prediction to 0..1 first (min-max) after storing it in 8 bits;
- metrics of the mask as it is delivered take the probabilities as they are and cut them at 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Convention = Literal["min-max", "as delivered"]


@dataclass(frozen=True)
class Column:
    """One figure of a summary. `higher_is_better` tells reports which end of it is the best."""

    title: str
    higher_is_better: bool
    convention: Convention


COLUMNS = {
    "s_measure": Column("S-measure", True, "min-max"),
    "e_mean": Column("mean E", True, "min-max"),
    "e_max": Column("max E", True, "min-max"),
    "e_adaptive": Column("adaptive E", True, "min-max"),
    "f_mean": Column("mean F", True, "min-max"),
    "f_max": Column("max F", True, "min-max"),
    "f_adaptive": Column("adaptive F", True, "min-max"),
    "weighted_f": Column("weighted F", True, "min-max"),
    "mae": Column("MAE", False, "as delivered"),
    "mae_minmax": Column("MAE (min-max)", False, "min-max"),
    "iou": Column("IoU", True, "as delivered"),
    "dice": Column("Dice", True, "as delivered"),
    "boundary_iou": Column("boundary IoU", True, "as delivered"),
    "hce": Column("HCE", False, "min-max"),
    "context_measure": Column("context measure", True, "min-max"),
    "camouflage_context_measure": Column("camouflage context measure", True, "min-max"),
    "si_f_mean": Column("size-invariant mean F", True, "min-max"),
    "si_f_max": Column("size-invariant max F", True, "min-max"),
    "si_f_adaptive": Column("size-invariant adaptive F", True, "min-max"),
    "si_mae": Column("size-invariant MAE", False, "min-max"),
    "ap": Column("AP", True, "as delivered"),
    "ap50": Column("AP50", True, "as delivered"),
    "ap75": Column("AP75", True, "as delivered"),
    "ap_small": Column("APs", True, "as delivered"),
    "ap_medium": Column("APm", True, "as delivered"),
    "ap_large": Column("APl", True, "as delivered"),
}

# Names that `measure` takes, and the columns that `summarise` makes of each.
METRICS: dict[str, tuple[str, ...]] = {
    "s_measure": ("s_measure",),
    "e_measure": ("e_mean", "e_max", "e_adaptive"),
    "f_measure": ("f_mean", "f_max", "f_adaptive"),
    "weighted_f": ("weighted_f",),
    "mae": ("mae",),
    "mae_minmax": ("mae_minmax",),
    "iou": ("iou",),
    "dice": ("dice",),
    "boundary_iou": ("boundary_iou",),
    "hce": ("hce",),
    "context_measure": ("context_measure",),
    "camouflage_context_measure": ("camouflage_context_measure",),
    "si_f_measure": ("si_f_mean", "si_f_max", "si_f_adaptive"),
    "si_mae": ("si_mae",),
}

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


def metrics_for(kind: str) -> tuple[str, ...]:
    """The default metrics of a data set of this kind: those that its papers report, and mask metrics."""
    return _OF_KIND.get(kind, _SALIENCY)
