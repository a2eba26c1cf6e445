"""A sample as it is measured: decoded, in RGB, and large enough for the model."""

from __future__ import annotations

import numpy as np

from basam.lab.data import Issue, Loaded, Sample, SampleError


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
    return loaded, np.asarray(loaded.image)
