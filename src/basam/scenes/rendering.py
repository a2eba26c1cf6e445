"""From a seed, a size and a domain to a scene."""

from __future__ import annotations

from collections.abc import Callable

from basam.scenes import camouflage, crowd, lesion, salient, thin
from basam.scenes.canvas import Canvas, Scene
from basam.scenes.draws import Draws

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
    canvas = Canvas(size)
    _PAINTERS[domain](canvas, Draws(DOMAINS.index(domain), seed))
    return canvas.finish()


def check(seed: int, size: int, domain: str) -> None:
    """Raise ValueError where one of the arguments of `render` is out of its range."""
    if domain not in DOMAINS:
        raise ValueError(f"unknown domain {domain!r}; there are {', '.join(DOMAINS)}")
    if size < SMALLEST:
        raise ValueError(f"size is {size}; a scene needs at least {SMALLEST} pixels a side")
    if seed < 0:
        raise ValueError(f"seed is {seed}; seeds are 0 or more")
