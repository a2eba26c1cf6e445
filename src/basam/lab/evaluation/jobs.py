"""The work of metric processes: from one predicted mask to its record. Imports no torch, so processes start quickly."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from basam.lab.evaluation.maps import write_map
from basam.lab.metrics import measure
from basam.masks import encode_mask


@dataclass(frozen=True, eq=False)
class MetricJob:
    """Attributes:
    logits: `(H, W)` float32 at the ground truth's size.
    truth: `(H, W)` bool; None if there is none (a detector's box).
    metrics: keys of `METRICS`.
    image: `(H, W, 3)` uint8, if a metric needs the photograph.
    ignored: `(H, W)` bool, pixels excluded from all metrics.
    map_file: PNG file for the prediction; None: not written.
    """

    logits: np.ndarray
    truth: np.ndarray | None
    metrics: tuple[str, ...]
    image: np.ndarray | None = None
    ignored: np.ndarray | None = None
    map_file: Path | None = None


@dataclass(frozen=True)
class Measured:
    """Metrics of one mask, the mask itself as COCO's RLE, and the seconds it took."""

    metrics: dict[str, Any]
    rle: dict[str, Any]
    seconds: float


def do(job: MetricJob) -> Measured:
    """Measure one mask."""
    start = time.perf_counter()
    probabilities = sigmoid(job.logits)
    if job.map_file is not None:
        write_map(job.map_file, probabilities)
    metrics = {}
    if job.truth is not None:
        metrics = measure(probabilities, job.truth, job.metrics, image=job.image, ignored=job.ignored)
    return Measured(metrics, encode_mask(probabilities > 0.5), time.perf_counter() - start)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of float32 logits, without overflow."""
    return np.float32(0.5) * (np.tanh(np.float32(0.5) * logits) + np.float32(1))
