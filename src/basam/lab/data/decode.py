"""Mask files into memory as bool arrays, upright, with every defect named; photographs are read in `photos`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from basam.checks import path_of
from basam.files import MAX_PIXELS
from basam.lab.data.issues import Issue, SampleError
from basam.lab.data.mask_rules import MaskRule, read_objects


def read_mask(
    path: str | os.PathLike[str], rule: MaskRule | None = None, max_pixels: int | None = MAX_PIXELS
) -> tuple[np.ndarray, list[Issue]]:
    """The mask in `path`, (H, W) bool, all objects of it together, and what was odd about it.

    Args:
        rule: what its values mean; None: an object against nothing, labels being refused. See `mask_rules`.

    Raises:
        SampleError: the file cannot be read, its values make no sense under the rule, or the mask has no pixel.
    """
    content = read_objects(path_of(path), rule, max_pixels)
    mask = content.instances[0].mask
    for instance in content.instances[1:]:
        mask |= instance.mask
    return mask, list(content.issues)


def check_sizes(image: Image.Image, height: int, width: int, image_path: Path, mask_name: str) -> None:
    """Raise SampleError unless the upright image is `width` x `height`."""
    if image.size != (width, height):
        detail = f"image {image.width} x {image.height}, {mask_name} {width} x {height}"
        if image.size == (height, width):
            detail += "; one of the two is turned: EXIF orientation has been applied to the image"
        raise SampleError(Issue("size-mismatch", str(image_path), detail))
