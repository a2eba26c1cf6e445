"""From a seed, a size and a domain to a scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from basam.checks import whole_number
from basam.errors import InputError
from basam.lab.scenes import camouflage, crowd, lesion, salient, thin
from basam.lab.scenes.canvas import Canvas, Scene
from basam.lab.scenes.draws import Draws
from basam.lab.scenes.raster import Window

SMALLEST = 32

_PAINTERS: dict[str, Callable[[Canvas, Draws], None]] = {
    "thin": thin.paint,
    "salient": salient.paint,
    "lesion": lesion.paint,
    "camouflage": camouflage.paint,
    "crowd": crowd.paint,
}
DOMAINS = tuple(_PAINTERS)


def render(seed: int, size: int, domain: str) -> Scene:
    """Render a scene: the same one at every size.

    Args:
        seed: which scene, 0 or more. Domains have their own scenes: seed 3 of `thin` has nothing to do with seed 3 of `crowd`.
        size: side of the square picture in pixels, at least 32.
        domain: one of DOMAINS.

    Returns:
        image (size, size, 3) uint8 RGB; masks (n, size, size) bool, disjoint, the visible part of each instance: the pixels
        that it covers by at least one half; names, n category names.

    Raises:
        ValueError: an argument is out of its range.
    """
    check(seed, size, domain)
    return _render(Draws(DOMAINS.index(domain), seed), size, domain)


def mosaic(seed: int, size: int, domain: str, tiles: int) -> Scene:
    """A larger field of view: tiles x tiles different scenes of size / tiles pixels side by side.

    With `size` growing in proportion to `tiles`, objects keep their size in pixels while there are more of them: "more scene",
    where `render` at a larger size is "more detail". The first tile is `render(seed, size // tiles, domain)`.

    Args:
        seed, size, domain: as for `render`; size is that of the whole mosaic and a multiple of tiles.
        tiles: scenes along a side, at least 1.

    Returns:
        A scene like any other: every instance of a tile has its own mask in the large frame.

    Raises:
        ValueError: an argument is out of its range.
    """
    if size % whole_number(tiles, "tiles", 1):
        raise InputError(f"tiles={tiles}, size={size}: size must be a multiple of tiles")
    side = size // tiles
    check(seed, side, domain)
    image = np.empty((size, size, 3), np.uint8)
    placed, names = [], []
    for tile in range(tiles * tiles):
        row, column = divmod(tile, tiles)
        window = Window(row * side, column * side, (row + 1) * side, (column + 1) * side)
        key = (DOMAINS.index(domain), seed, tile) if tile else (DOMAINS.index(domain), seed)
        scene = _render(Draws(*key), side, domain)
        image[window.slices] = scene.image
        placed += [(window, mask) for mask in scene.masks]
        names += scene.names
    masks = np.zeros((len(placed), size, size), bool)
    for target, (window, mask) in zip(masks, placed, strict=True):
        target[window.slices] = mask
    return Scene(image, masks, names)


def _render(draws: Draws, size: int, domain: str) -> Scene:
    canvas = Canvas(size)
    _PAINTERS[domain](canvas, draws)
    return canvas.finish()


def check(seed: int, size: int, domain: str) -> None:
    """Raise ValueError where one of the arguments of `render` is out of its range."""
    if domain not in DOMAINS:
        raise InputError(f"unknown domain {domain!r}; there are {', '.join(DOMAINS)}")
    whole_number(seed, "seed", 0)
    whole_number(size, "size", SMALLEST)
