"""Contact sheets: many scenes on one page, images above their masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from basam.checks import path_of, whole_number
from basam.errors import InputError
from basam.files import encoded, write_bytes
from basam.lab.scenes.canvas import Scene
from basam.lab.scenes.draws import hsv
from basam.lab.scenes.rendering import DOMAINS, check, render

GAP = 4
DETAIL = 3  # scenes are rendered this much larger and reduced, so that wires under a pixel show as grey


def coloured(scene: Scene) -> np.ndarray:
    """The masks in one picture, one colour per instance: (size, size, 3) uint8."""
    picture = np.zeros_like(scene.image)
    for index, mask in enumerate(scene.masks):
        # Steps of the golden ratio keep the hues of neighbours apart; a single instance is white as in a mask file.
        colour = hsv(index * 0.618034 % 1.0, 0.65, 0.95) if len(scene.masks) > 1 else (1.0, 1.0, 1.0)
        picture[mask] = [int(255 * channel) for channel in colour]
    return picture


def write_sheet(path: Path, domains: Sequence[str], count: int, size: int, seed: int) -> None:
    """Write the contact sheet of `count` scenes per domain, at least one, from `seed` on as PNG.

    Raises:
        ValueError: numbers out of range, an unknown domain or none.
    """
    whole_number(count, "count", 1)
    if isinstance(domains, str) or not domains:
        raise InputError(f"domains={domains!r}: a list of at least one is needed, of {', '.join(DOMAINS)}")
    for domain in domains:
        check(seed, size, domain)
    path = path_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, encoded(contact_sheet(domains, range(seed, seed + count), size), "PNG", optimize=True))


def contact_sheet(domains: Sequence[str], seeds: Sequence[int], size: int) -> Image.Image:
    """A row of images and a row of masks per domain, a column per seed, all `size` pixels."""
    step = size + GAP
    sheet = np.full((2 * len(domains) * step - GAP, len(seeds) * step - GAP, 3), 255, np.uint8)
    for row, domain in enumerate(domains):
        for column, seed in enumerate(seeds):
            scene = render(seed, DETAIL * size, domain)
            for below, picture in enumerate((scene.image, coloured(scene))):
                top, left = (2 * row + below) * step, column * step
                sheet[top : top + size, left : left + size] = np.asarray(Image.fromarray(picture).reduce(DETAIL))
    return Image.fromarray(sheet)
