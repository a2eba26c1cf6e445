"""Colours of an object without those of its background, for cut-outs with a soft edge. numpy only.

A pixel of the edge is a mixture, `alpha * F + (1 - alpha) * B`. F and B are estimated by blur fusion (Forte, "Approximate Fast
Foreground Colour Estimation", ICIP 2021), in two passes, of which the second is finer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-12
# Exponent of alpha in the weight of a pixel's colour; the paper's 1 gives mixed pixels too much weight.
POWER = 6


def foreground_colours(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Colours `(h, w, 3)` of the object whose alpha `(h, w)` is 0 to 255; where it is 0 or 255 they are those of `pixels`.

    Args:
        radius: pixels around an edge pixel whose colours count, in the first pass.
    """
    mixed = (alpha > 0) & (alpha < 255)
    if not mixed.any():
        return pixels
    share = alpha / np.float64(255)
    out = pixels.copy()
    for channel in range(3):
        image = pixels[..., channel].astype(np.float64)
        front, back = image, image
        for reach in (radius, max(1, radius // 8)):
            front, back = fused(image, front, back, share, reach)
        out[..., channel][mixed] = np.rint(front[mixed]).astype(np.uint8)
    return out


def fused(
    image: NDArray[np.float64], front: NDArray[np.float64], back: NDArray[np.float64], share: NDArray[np.float64], radius: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Better estimates `(h, w)` of one channel of the object and the background."""
    of_front, of_back = share**POWER, (1 - share) ** POWER
    front = blurred(front * of_front, radius) / (blurred(of_front, radius) + LEAST)
    back = blurred(back * of_back, radius) / (blurred(of_back, radius) + LEAST)
    return np.clip(front + share * (image - share * front - (1 - share) * back), 0, 255), back


def blurred(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Means `(h, w)` of squares of pixels up to `radius` away; squares end at the border."""
    for axis in (0, 1):
        length = values.shape[axis]
        sums = np.concatenate([np.zeros_like(values.take([0], axis)), np.cumsum(values, axis=axis)], axis=axis)
        low, high = np.maximum(np.arange(length) - radius, 0), np.minimum(np.arange(length) + radius + 1, length)
        counts = (high - low).reshape((-1, 1) if axis == 0 else (1, -1))
        values = (sums.take(high, axis) - sums.take(low, axis)) / counts
    return values
