"""A picture in the making: colours, and the owning instance per pixel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from basam.lab.scenes.draws import Array, Colour, direction
from basam.lab.scenes.material import Material
from basam.lab.scenes.raster import Loops, Window, bounds, coverage, full
from basam.lab.scenes.shapes import Point

HALF = np.float32(0.5)


class Part(NamedTuple):
    """Loops of one colour; role 0 is the body, which carries the pattern, 1 and up are further colours."""

    loops: list[Array]
    role: int = 0


class Look(NamedTuple):
    """How an instance is coloured and lit."""

    material: Material
    colours: Sequence[Colour] = ()  # of the parts with role 1, 2, ...
    volume: float = 0.0  # how far the surface bulges, as a share of the instance's size
    light: float = 0.0  # direction the light comes from, in turns
    relief: float = 0.8  # strength of the shading


class Scene(NamedTuple):
    """A rendered scene.

    image: (size, size, 3) uint8 RGB; masks: (n, size, size) bool, the visible parts of the instances, disjoint, none empty;
    names: n category names.
    """

    image: Array
    masks: Array
    names: list[str]


def outline(parts: Sequence[Part]) -> list[Array]:
    """All loops of an instance."""
    return [loop for part in parts for loop in part.loops]


class Canvas:
    """Paint back to front, then `finish`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.image = np.zeros((3, size, size), np.float32)  # channel first: three contiguous planes are faster than triples
        self.owner = np.zeros((size, size), np.uint8)  # 0: background; k: the k-th instance
        self.names: list[str] = []

    def fill(self, material: Material, window: Window | None = None) -> None:
        """Cover a window, by default everything, with a material."""
        window = window or full(self.size)
        self.image[window.planes] = material.sample(self.size, window)[0]

    def blend(self, alpha: Array, window: Window, colour: Array | Colour) -> None:
        """Mix a colour, or colours (3, height, width), into a window with weights alpha."""
        rows, columns = window.slices
        for channel in range(3):
            plane = self.image[channel, rows, columns]
            value = colour[channel]
            plane += alpha * ((value if isinstance(value, np.ndarray) else np.float32(value)) - plane)

    def shape(self, loops: Loops, colour: Material | Colour, soft: float = 0.0, opacity: float = 1.0) -> None:
        """Paint loops that belong to no instance; soft is the half width of their blurred edge in the unit square."""
        window = bounds(loops, self.size).grown(round(2 * soft * self.size), self.size)
        alpha = coverage(loops, self.size, window)[0]
        if soft:
            alpha = blurred(alpha, soft * self.size)
        if opacity != 1.0:
            alpha = alpha * np.float32(opacity)
        self.blend(alpha, window, colour.sample(self.size, window)[0] if isinstance(colour, Material) else colour)

    def cover(self, loops: Loops, colour: Material | Colour) -> None:
        """Paint loops that belong to no instance in front of all instances: what they hide is taken from the masks."""
        self.shape(loops, colour)
        alpha, window = coverage(loops, self.size)
        self.owner[window.slices][alpha >= HALF] = 0

    def shade(self, centre: Point, radii: Point, strength: float) -> None:
        """Darken (or, below 0, brighten) a soft ellipse, such as the shadow under an object."""
        box = np.array([centre]) + np.array([[-radii[0], -radii[1]], [radii[0], radii[1]]])
        window = bounds([box], self.size)
        y = ((np.arange(window.top, window.bottom) + 0.5) / self.size - centre[1])[:, None] / radii[1]
        x = ((np.arange(window.left, window.right) + 0.5) / self.size - centre[0]) / radii[0]
        dark = np.maximum(1 - x * x - y * y, 0).astype(np.float32)
        self.image[window.planes] *= 1 - dark * dark * np.float32(strength)

    def instance(self, name: str, parts: Sequence[Part], look: Look, colours: Array | None = None) -> None:
        """Paint one instance of the ground truth in front of all before; colours (3, size, size) replace the material's."""
        alpha, window = coverage(outline(parts), self.size)
        if not alpha.size:
            return
        if colours is None:
            surface, broad = look.material.sample(self.size, window)
        else:
            surface, broad = colours[window.planes].copy(), None
        for part in parts:
            if part.role and part.role <= len(look.colours):
                weight, own = coverage(part.loops, self.size)
                area = own.within(window)
                for channel, value in enumerate(look.colours[part.role - 1]):
                    target: Array | np.float32 = np.float32(value)
                    if broad is not None:
                        target = target + broad[area] * np.float32(0.3 * look.material.tone[channel])
                    plane = surface[channel][area]
                    plane += weight * (target - plane)
        if look.volume:
            surface *= self._relief(alpha, look)
        self.blend(alpha, window, surface)
        self.own(alpha, window, name)

    def own(self, alpha: Array, window: Window, name: str) -> None:
        """Give the pixels that are at least half covered to a new instance."""
        self.names.append(name)
        self.owner[window.slices][alpha >= HALF] = len(self.names)

    def _relief(self, alpha: Array, look: Look) -> Array:
        """Brightness of a surface that bulges over the covered area, lit from one side, with a darker rim."""
        radius = max(look.volume * self.size, 1.0)
        margin = int(radius) + 1
        height = blurred(np.pad(alpha, margin), radius)
        slope = np.float32(0.5 * radius)
        inner = slice(margin, -margin)
        down = (height[margin + 1 : 1 - margin or None, inner] - height[margin - 1 : -margin - 1, inner]) * slope
        right = (height[inner, margin + 1 : 1 - margin or None] - height[inner, margin - 1 : -margin - 1]) * slope
        c, s = direction(look.light)
        strength = np.float32(look.relief)
        lit = (right * np.float32(c) + down * np.float32(s)) * strength
        return np.maximum(1 - lit - (1 - height[inner, inner]) * np.float32(0.25) * strength, np.float32(0.1))

    def finish(self) -> Scene:
        """The scene: colours rounded to 8 bits, one mask per instance that has a pixel."""
        image = np.empty((self.size, self.size, 3), np.uint8)
        for channel, plane in enumerate(self.image):
            image[..., channel] = np.clip(plane, 0, 1) * np.float32(255) + HALF
        present = [k for k in range(1, len(self.names) + 1) if (self.owner == k).any()]
        masks = np.empty((len(present), self.size, self.size), bool)
        for index, k in enumerate(present):
            np.equal(self.owner, k, out=masks[index])
        return Scene(image, masks, [self.names[k - 1] for k in present])


def blurred(plane: Array, radius: float) -> Array:
    """A plane softened over about `radius` pixels to every side (two box filters); edges are continued."""
    if radius <= 1:
        return plane
    for axis in (0, 0, 1, 1):
        plane = _box(plane, radius, axis)
    return plane


def _box(plane: Array, width: float, axis: int) -> Array:
    """Running mean along an axis over `width` pixels, which is more than 1 and need not be whole."""
    half = width * 0.5
    reach = int(half + 0.5) + 1
    count = plane.shape[axis]
    margins = [(0, 0), (0, 0)]
    margins[axis] = (reach + 1, reach)  # one more in front: the sum up to there is taken as 0
    sums = np.pad(plane, margins, mode="edge")
    if axis:
        sums[:, 0] = 0
        np.cumsum(sums, axis=1, out=sums)
    else:
        sums[0] = 0
        for above, row in pairwise(sums):  # several times as fast as cumsum down the columns, the same additions
            row += above

    def integral(offset: float) -> Array:
        whole = int(offset)
        part = np.float32(offset - whole)
        low, high = (sums[:, k : k + count] if axis else sums[k : k + count] for k in (whole, whole + 1))
        return low + (high - low) * part

    return (integral(reach + 0.5 + half) - integral(reach + 0.5 - half)) * np.float32(0.5 / half)
