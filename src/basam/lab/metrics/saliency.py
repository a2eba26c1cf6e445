"""Metrics of `py_sod_metrics`, one function per metric: a `Case` in, entries of a record out.

All but `mae`, `iou` and `dice` follow the convention of published tables, which is the library's default: the prediction
in 8 bits, stretched to 0..1 (min-max). A prediction that is the same everywhere is not stretched.

Where the library cannot define a metric for a ground truth, its entries are None: the context measures of objects that lie
on one slanted line, and the size-invariant forms where no background is left or there are too many objects.

Pixels that are ignored are taken out where a metric counts pixels (E, F, MAE, IoU, Dice). Where it looks at neighbourhoods,
they hold the lowest prediction, which is nothing after stretching: no error there, whatever was predicted.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from basam.errors import InputError
from basam.files import require
from basam.lab.metrics.case import Case
from basam.lab.metrics.curves import encode_curve

Entries = dict[str, Any]


def s_measure(case: Case) -> Entries:
    """Structure measure, half object-aware and half region-aware (Fan et al., ICCV 2017)."""

    class Smeasure(_library().Smeasure):  # type: ignore[misc]
        """An object at the last row or column leaves empty quarters: they weigh 0, but the library makes NaN of them."""

        def ssim(self, pred: np.ndarray, gt: np.ndarray) -> float:
            return float(super().ssim(pred, gt)) if pred.size else 0.0

    metric = Smeasure()
    metric.step(pred=case.stored, gt=case.stored_truth)
    return {"s_measure": float(metric.get_results()["sm"])}


def e_measure(case: Case) -> Entries:
    """Enhanced-alignment measure at 256 thresholds and at twice the mean (Fan et al., IJCAI 2018)."""
    result = _stored("Emeasure", case.counted)["em"]
    return {"e_curve": encode_curve(result["curve"]), "e_adaptive": float(result["adp"])}


def f_measure(case: Case) -> Entries:
    """F-measure with beta^2 = 0.3, precision and recall at 256 thresholds, F at twice the mean (Achanta et al., CVPR 2009)."""
    library = _library()
    curves = {"f": library.FmeasureHandler(True, True, beta=0.3)}
    curves |= {"precision": library.PrecisionHandler(True, False), "recall": library.RecallHandler(True, False)}
    metric = library.FmeasureV2(curves)
    metric.step(pred=case.counted.stored, gt=case.counted.stored_truth)
    results = metric.get_results()
    entries: Entries = {f"{name}_curve": encode_curve(results[name]["dynamic"]) for name in curves}
    return entries | {"f_adaptive": float(results["f"]["adaptive"])}


def weighted_f(case: Case) -> Entries:
    """Weighted F-measure with beta^2 = 1: errors weighted by their place (Margolin et al., CVPR 2014)."""
    return {"weighted_f": float(_stored("WeightedFmeasure", case)["wfm"])}


def mae(case: Case) -> Entries:
    """Mean absolute error of the probabilities as they are: neither stretched nor rounded to 8 bits."""
    metric = _library().MAE()
    # In float64, so that a mean over millions of pixels keeps its digits.
    metric.step(pred=case.counted.probabilities.astype("float64"), gt=case.counted.truth, normalize=False)
    return {"mae": float(metric.get_results()["mae"])}


def mae_minmax(case: Case) -> Entries:
    """Mean absolute error in the convention of published tables (Perazzi et al., CVPR 2012)."""
    return {"mae_minmax": float(_stored("MAE", case.counted)["mae"])}


def iou(case: Case) -> Entries:
    """Intersection over union of the mask as delivered."""
    return {"iou": _delivered("IOUHandler", case.counted)}


def dice(case: Case) -> Entries:
    """Dice coefficient (F1) of the mask as delivered."""
    return {"dice": _delivered("DICEHandler", case.counted)}


def hce(case: Case) -> Entries:
    """Human correction effort: clicks needed to repair the mask, relax 5, epsilon 2 (Qin et al., ECCV 2022)."""
    return {"hce": float(_stored("HumanCorrectionEffortMeasure", case)["hce"])}


def context_measure(case: Case) -> Entries:
    """Context measure, beta^2 = 1 (Wang et al., arXiv 2512.07076)."""
    return {"context_measure": _context("ContextMeasure", "cm", case)}


def camouflage_context_measure(case: Case) -> Entries:
    """Context measure weighted by how well every part of the object is hidden in the photograph, beta^2 = 1.2."""
    if case.image is None:
        raise InputError("camouflage_context_measure looks at the photograph: pass image=")
    return {"camouflage_context_measure": _context("CamouflageContextMeasure", "ccm", case, img=case.image)}


def si_f_measure(case: Case) -> Entries:
    """Size-invariant F-measure: the mean over the objects (connected components) of an image (Li et al., ICML 2024)."""
    if not _has_sizes(case):
        return {"si_f_curve": None, "si_f_adaptive": None}
    library = _library()
    metric = library.SizeInvarianceFmeasureV2({"f": library.FmeasureHandler(True, True, beta=0.3)})
    metric.step(pred=case.stored, gt=case.stored_truth)
    result = metric.get_results()["f"]
    return {"si_f_curve": encode_curve(result["dynamic"][0].mean(axis=0)), "si_f_adaptive": float(result["adaptive"])}


def si_mae(case: Case) -> Entries:
    """Size-invariant mean absolute error (Li et al., ICML 2024)."""
    if not _has_sizes(case):
        return {"si_mae": None}
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(_stored("SizeInvarianceMAE", case)["si_mae"])
    return {"si_mae": value if math.isfinite(value) else None}  # the objects' boxes leave no background


def _stored(name: str, case: Case, **more: Any) -> Any:
    """Results of the library's class `name` on the one case, in the convention of published tables."""
    metric = getattr(_library(), name)()
    metric.step(pred=case.stored, gt=case.stored_truth, **more)
    return metric.get_results()


def _context(name: str, key: str, case: Case, **more: Any) -> float | None:
    try:
        return float(_stored(name, case, **more)[key])
    except np.linalg.LinAlgError:  # pixels on one slanted line have no invertible covariance
        return None


def _has_sizes(case: Case) -> bool:
    """Whether the library can separate the objects: it needs some background and uses a bit of a float per object."""
    cv2 = require("cv2", "evaluate")
    _, _, stats, _ = cv2.connectedComponentsWithStats(case.stored_truth, connectivity=4)
    objects = int((stats[1:, cv2.CC_STAT_AREA] >= 50).sum())
    return objects <= 53 and not case.truth.all()


def _delivered(handler: str, case: Case) -> float:
    library = _library()
    metric = library.FmeasureV2({"value": getattr(library, handler)(False, False, with_binary=True)})
    metric.step(pred=case.probabilities, gt=case.truth, normalize=False)
    return float(metric.get_results()["value"]["binary"])


def _library() -> Any:
    return require("py_sod_metrics", "evaluate")
