"""Read a sample for measuring: decoded, in RGB, and large enough for the model."""

from __future__ import annotations

import numpy as np

from basam.lab.data import Issue, Loaded, Sample, SampleError


def read_sample(sample: Sample, smallest: int = 1) -> tuple[Loaded, np.ndarray]:
    """A sample and its photograph, `(H, W, 3)` uint8.

    Args:
        smallest: required long side in pixels of the photograph: a patch, if it is encoded at native resolution.

    Raises:
        SampleError: it cannot be read, or is smaller.
    """
    loaded = sample.load()
    width, height = loaded.image.size
    if max(width, height) < smallest:
        detail = f"{width} x {height} pixels, a patch has {smallest} x {smallest}"
        raise SampleError(Issue("small-image", str(sample.image_path), detail))
    return loaded, np.asarray(loaded.image)
