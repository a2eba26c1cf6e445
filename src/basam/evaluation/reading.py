"""A sample as it is measured: decoded, in RGB, and large enough for the model."""

from __future__ import annotations

import numpy as np

from basam.data import Issue, Loaded, Sample, SampleError
from basam.files import ImageError, to_rgb


def read_sample(sample: Sample, smallest: int = 1) -> tuple[Loaded, np.ndarray]:
    """A sample and its photograph, `(H, W, 3)` uint8.

    Args:
        smallest: the long side in pixels that the photograph must have: the patch of a model that takes it at its own size.

    Raises:
        SampleError: it cannot be read, or is smaller.
    """
    loaded = sample.load()
    width, height = loaded.image.size
    if max(width, height) < smallest:
        detail = f"{width} x {height} pixels, a patch has {smallest} x {smallest}"
        raise SampleError(Issue("small-image", str(sample.image_path), detail))
    try:
        return loaded, to_rgb(loaded.image)
    except ImageError as error:
        raise SampleError(Issue("unreadable-image", str(sample.image_path), str(error))) from error
