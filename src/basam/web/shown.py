"""Masks as the page draws them: cut to their box, and never larger than a screen needs."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basam.masks import tight_box

# Pixels along the long side of a mask that is sent; the file of the session has all of them.
MOST_SHOWN = 2048


def shown_mask(mask: NDArray[np.bool_], scale: float = 1.0) -> dict[str, Any] | None:
    """A mask `(H, W)` for the page; None: it is empty.

    Args:
        scale: pixels of the photo along a pixel of the mask.

    Returns:
        `box`: x0, y0, x1, y1 in pixels of the photo; `png`: the mask inside of it, one bit a pixel, in base64.
    """
    if not mask.any():
        return None
    x0, y0, x1, y1 = tight_box(mask).astype(int)
    image = Image.fromarray(mask[y0:y1, x0:x1])
    longest = max(image.size)
    if longest > MOST_SHOWN:
        size = (max(1, round(image.width * MOST_SHOWN / longest)), max(1, round(image.height * MOST_SHOWN / longest)))
        image = image.resize(size, Image.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    box = [float(value * scale) for value in (x0, y0, x1, y1)]
    return {"box": box, "png": base64.b64encode(stream.getvalue()).decode()}
