"""Masks as the page draws them: cut to their box, and never larger than a screen needs."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from basam.masks import RunMask

# Pixels along the long side of a mask that is sent; the file of the session has all of them.
MOST_SHOWN = 2048


def shown_mask(runs: RunMask, scale: float = 1.0) -> dict[str, Any] | None:
    """A mask for the page; None: it is empty.

    Args:
        scale: pixels of the photo along a pixel of the mask.

    Returns:
        `box`: x0, y0, x1, y1 in pixels of the photo; `png`: the mask inside of it, one bit a pixel, in base64.
    """
    if not runs.area:
        return None
    image = Image.fromarray(runs.part())
    longest = max(image.size)
    if longest > MOST_SHOWN:
        size = (max(1, round(image.width * MOST_SHOWN / longest)), max(1, round(image.height * MOST_SHOWN / longest)))
        image = image.resize(size, Image.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return {"box": [float(value * scale) for value in runs.box], "png": base64.b64encode(stream.getvalue()).decode()}
