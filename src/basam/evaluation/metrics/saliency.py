"""Metrics of `py_sod_metrics`, one function a metric: a `Case` in, entries of a record out.

All but `mae`, `iou` and `dice` follow the convention of published tables, which is the library's default: the prediction
in 8 bits, stretched to 0..1 (min-max). A prediction that is the same everywhere is not stretched.
"""

from __future__ import annotations

from typing import Any

from basam.evaluation.metrics.case import Case
from basam.evaluation.metrics.curves import encode_curve
from basam.extras import require

Entries = dict[str, Any]


def s_measure(case: Case) -> Entries:
    """Structure measure, half object-aware and half region-aware (Fan et al., ICCV 2017)."""
    return {"s_measure": float(_stored("Smeasure", case)["sm"])}


def e_measure(case: Case) -> Entries:
    """Enhanced-alignment measure at 256 thresholds and at twice the mean (Fan et al., IJCAI 2018)."""
    result = _stored("Emeasure", case)["em"]
    return {"e_curve": encode_curve(result["curve"]), "e_adaptive": float(result["adp"])}


def f_measure(case: Case) -> Entries:
    """F-measure with beta^2 = 0.3, precision and recall at 256 thresholds, F at twice the mean (Achanta et al., CVPR 2009)."""
    library = _library()
    curves = {"f": library.FmeasureHandler(True, True, beta=0.3)}
    curves |= {"precision": library.PrecisionHandler(True, False), "recall": library.RecallHandler(True, False)}
    metric = library.FmeasureV2(curves)
    metric.step(pred=case.stored, gt=case.stored_truth)
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
    metric.step(pred=case.probabilities.astype("float64"), gt=case.truth, normalize=False)
    return {"mae": float(metric.get_results()["mae"])}


def mae_minmax(case: Case) -> Entries:
    """Mean absolute error in the convention of published tables (Perazzi et al., CVPR 2012)."""
    return {"mae_minmax": float(_stored("MAE", case)["mae"])}


def iou(case: Case) -> Entries:
    """Intersection over union of the mask as delivered."""
    return {"iou": _delivered("IOUHandler", case)}


def dice(case: Case) -> Entries:
    """Dice coefficient (F1) of the mask as delivered."""
    return {"dice": _delivered("DICEHandler", case)}


def hce(case: Case) -> Entries:
    """Human correction effort: clicks needed to repair the mask, relax 5, epsilon 2 (Qin et al., ECCV 2022)."""
    return {"hce": float(_stored("HumanCorrectionEffortMeasure", case)["hce"])}


def context_measure(case: Case) -> Entries:
    """Context measure, beta^2 = 1 (Wang et al., arXiv 2512.07076)."""
    return {"context_measure": float(_stored("ContextMeasure", case)["cm"])}


def camouflage_context_measure(case: Case) -> Entries:
    """Context measure weighted by how well each part of the object is hidden in the photograph, beta^2 = 1.2."""
    if case.image is None:
        raise ValueError("camouflage_context_measure looks at the photograph: pass image=")
    metric = _library().CamouflageContextMeasure()
    metric.step(pred=case.stored, gt=case.stored_truth, img=case.image)
    return {"camouflage_context_measure": float(metric.get_results()["ccm"])}


def si_f_measure(case: Case) -> Entries:
    """Size-invariant F-measure: the mean over the objects (connected components) of an image (Li et al., ICML 2024)."""
    library = _library()
    metric = library.SizeInvarianceFmeasureV2({"f": library.FmeasureHandler(True, True, beta=0.3)})
    metric.step(pred=case.stored, gt=case.stored_truth)
    result = metric.get_results()["f"]
    return {"si_f_curve": encode_curve(result["dynamic"][0].mean(axis=0)), "si_f_adaptive": float(result["adaptive"])}


def si_mae(case: Case) -> Entries:
    """Size-invariant mean absolute error (Li et al., ICML 2024)."""
    return {"si_mae": float(_stored("SizeInvarianceMAE", case)["si_mae"])}


def _stored(name: str, case: Case) -> Any:
    """Results of the library's class `name` on the one case, in the convention of published tables."""
    metric = getattr(_library(), name)()
    metric.step(pred=case.stored, gt=case.stored_truth)
    return metric.get_results()


def _delivered(handler: str, case: Case) -> float:
    library = _library()
    metric = library.FmeasureV2({"value": getattr(library, handler)(False, False, with_binary=True)})
    metric.step(pred=case.probabilities, gt=case.truth, normalize=False)
    return float(metric.get_results()["value"]["binary"])


def _library() -> Any:
    return require("py_sod_metrics", "evaluate")
