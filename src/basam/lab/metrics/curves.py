"""Curves over 256 thresholds as short strings of a record: `NAME_curve`, of which `summary` makes means and maxima."""

from __future__ import annotations

import base64

import numpy as np

from basam.errors import InputError

THRESHOLDS = 256


def encode_curve(curve: np.ndarray) -> str:
    """`curve` (256,) as base64 of little-endian float32."""
    return base64.b64encode(np.asarray(curve, dtype="<f4").tobytes()).decode("ascii")


def decode_curve(text: str) -> np.ndarray:
    """(256,) float64 of what `encode_curve` wrote; ValueError where it is something else."""
    curve = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    if curve.shape != (THRESHOLDS,):
        raise InputError(f"a curve has {THRESHOLDS} thresholds, this one has {curve.size}")
    return curve.astype(np.float64)
