"""The box of a mask; numpy only, because readers of data sets need it as well as the predictor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basam.arrays import check_mask
from basam.errors import InputError


def tight_box(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Box of a mask `(H, W)` with at least one pixel, `(4,)` x0, y0, x1, y1 (x1, y1 exclusive).

    Raises:
        ValueError: the mask is empty.
    """
    check_mask(mask)
    if not mask.any():
        raise InputError(f"mask of shape {mask.shape} is empty, so it has no box")
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
