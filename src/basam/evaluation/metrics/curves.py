"""Curves over 256 thresholds as short strings, so that a record of an image is one line of JSON.

A curve starts at the highest threshold (255, only the surest pixels) and ends at 0 (every pixel), as `py_sod_metrics`
orders it. It is kept as float32 (1.4 kB of text): a rounding of 6e-8, far below the digits of any table.
"""

from __future__ import annotations

import base64

import numpy as np

THRESHOLDS = 256


def encode_curve(curve: np.ndarray) -> str:
    """`curve` (256,) as base64 of little-endian float32."""
    return base64.b64encode(np.asarray(curve, dtype="<f4").tobytes()).decode("ascii")


def decode_curve(text: str) -> np.ndarray:
    """(256,) float64 of what `encode_curve` wrote; ValueError where it is something else."""
    curve = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    if curve.shape != (THRESHOLDS,):
        raise ValueError(f"a curve has {THRESHOLDS} thresholds, this one has {curve.size}")
    return curve.astype(np.float64)
