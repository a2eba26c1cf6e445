"""`measure`: one prediction and its ground truth to a record, a dictionary of plain JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.arrays import check_mask
from basam.errors import InputError
from basam.lab.metrics.case import Case
from basam.lab.metrics.catalogue import METRICS


def measure(
    probabilities: np.ndarray,
    truth: NDArray[np.bool_],
    metrics: Iterable[str],
    *,
    image: NDArray[np.uint8] | None = None,
    ignored: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """The record of one prediction at the ground truth's own size.

    Args:
        probabilities: `(H, W)` float32 in 0..1: the sigmoid of the logits, after they were resampled to H x W.
        truth: `(H, W)` bool with at least one pixel.
        metrics: keys of `METRICS`; `metrics_for(kind)` gives those of a data set.
        image: `(H, W, 3)` uint8 RGB, needed by `camouflage_context_measure` only.
        ignored: `(H, W)` bool, pixels outside the truth that count nowhere: what was predicted there changes no figure.

    Returns:
        Numbers by column name, and `*_curve` strings (see `summary`); None where a metric is not defined for this ground
        truth (see `saliency`). `summarise` and `mean_curves` read it.

    Raises:
        ValueError: unknown metric, or an argument that is not as described.
        MissingExtraError: the extra `evaluate` is not installed.
    """
    check_mask(truth, "truth")
    metrics = tuple(metrics)
    for name in metrics:
        if name not in METRICS:
            raise InputError(f"metric {name!r} is unknown: known are {', '.join(METRICS)}")
    case = Case(probabilities, truth, image, ignored)
    record: dict[str, Any] = {}
    for name in metrics:
        record |= METRICS[name].function(case)
    return record
