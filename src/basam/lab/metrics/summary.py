"""From the records of many images to the figures of a data set, the same to the last digit in whatever order they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from basam.errors import InputError
from basam.lab.metrics.catalogue import METRICS
from basam.lab.metrics.curves import THRESHOLDS, decode_curve

Record = dict[str, Any]


def summarise(records: Sequence[Record]) -> dict[str, float | int]:
    """`count`, and one figure for every column that the records hold.

    Plain metrics are means over records. Max and mean of E and F are those of the mean curve over all records, as in
    published tables: one threshold for the whole data set, not the best one of every image. Records in which a metric is
    not defined (None) are left out of its mean, and their number stands under `COLUMN_undefined`; a column that no record
    defines is absent.

    Raises:
        ValueError: there is no record, or records hold different metrics; both are named.
    """
    curves = mean_curves(records)
    summary: dict[str, float | int] = {"count": len(records)}
    for metric in METRICS.values():
        for column in metric.columns:
            curve, _, how = column.rpartition("_")
            key = column if column in records[0] else f"{curve}_curve"
            if key not in records[0]:
                continue
            defined = _defined(records, key)
            if len(defined) < len(records):
                summary[f"{column}_undefined"] = len(records) - len(defined)
            if defined and key == column:
                summary[column] = math.fsum(defined) / len(defined)
            elif defined:
                values = curves[curve]
                summary[column] = float(values.max()) if how == "max" else math.fsum(values) / THRESHOLDS
    return summary


def mean_curves(records: Sequence[Record]) -> dict[str, np.ndarray]:
    """Mean over records of every curve they hold, (256,) float64 from threshold 255 down to 0.

    Names are `precision`, `recall`, `f`, `e` and `si_f`; the first two make the precision-recall plot.
    """
    _check(records)
    means = {}
    for key in records[0]:
        defined = _defined(records, key)
        if key.endswith("_curve") and defined:
            curves = np.stack([decode_curve(text) for text in defined], axis=1)
            means[key.removesuffix("_curve")] = np.array([math.fsum(values) for values in curves]) / len(defined)
    return means


def _defined(records: Sequence[Record], key: str) -> list[Any]:
    return [record[key] for record in records if record[key] is not None]


def _check(records: Sequence[Record]) -> None:
    if not records:
        raise InputError("no record to summarise: nothing was measured")
    expected = records[0].keys()
    for index, record in enumerate(records):
        if record.keys() != expected:
            differing = ", ".join(sorted(record.keys() ^ expected))
            raise InputError(f"records 0 and {index} hold different metrics ({differing}): they come from different runs")
