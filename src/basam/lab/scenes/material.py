"""What a surface looks like: colours as a function of position, the same at every size."""

from __future__ import annotations

import numpy as np

from basam.lab.scenes.draws import Array, Colour, Draws, direction, hsv, sine
from basam.lab.scenes.noise import Noise
from basam.lab.scenes.raster import Window

PATTERNS = ("mottled", "mottled", "striped", "speckled", "checked", "plain", "plain", "waves")


class Material:
    """base + tone * broad noise + accent * pattern, all colours.

    Args:
        draws: where the decisions come from.
        base: mean colour, RGB in 0..1.
        contrast: standard deviation of the broad noise's tone, about.
        cells: lattice cells of the broadest noise to the unit square, along y and x.
        pattern: one of PATTERNS, drawn where None.
    """

    def __init__(
        self,
        draws: Draws,
        base: Colour,
        contrast: float = 0.07,
        cells: float | tuple[float, float] = 4.0,
        pattern: str | None = None,
        roughness: float | None = None,
        octaves: int = 10,
    ) -> None:
        self.base = base
        self.pattern = draws.pick(PATTERNS) if pattern is None else pattern
        self.tone = tuple(contrast * (0.8 + 0.5 * b + draws.bell(0.15)) for b in base)
        strength = draws.uniform(0.5, 1.6) * contrast
        common = draws.pick((-1.0, 1.0)) * (0.7 + draws.unit())
        self.accent = tuple(strength * (common * (0.4 + b) + draws.bell(0.22)) for b in base)
        rough = draws.uniform(0.45, 0.8) if roughness is None else roughness
        self.broad = Noise(draws.child(), cells, octaves, rough)
        y, x = self.broad.cells
        self.fine = Noise(draws.child(), (y * 2.3, x * 2.3), octaves - 1, rough)
        self.waves = draws.uniform(1.5, 4.0) * min(x, y)
        self.heading = direction(draws.unit())
        self.warp = np.float32(draws.uniform(0.02, 0.3))
        self.level = np.float32(draws.uniform(0.4, 1.4))

    def sample(self, size: int, window: Window, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[Array, Array]:
        """Colour (3, height, width) and broad noise (height, width) at the pixels of a window, float32, not clipped."""
        broad = self.broad.sample(size, window, shift)
        pattern = self._pattern(size, window, shift, broad)
        result = np.empty((3, *window.shape), np.float32)
        for channel, (base, tone, accent) in enumerate(zip(self.base, self.tone, self.accent, strict=True)):
            np.multiply(broad, np.float32(tone), out=result[channel])
            result[channel] += np.float32(base)
            if pattern is not None:
                result[channel] += pattern * np.float32(accent)
        return result, broad

    def _pattern(self, size: int, window: Window, shift: tuple[float, float], broad: Array) -> Array | None:
        if self.pattern == "plain":
            return None
        if self.pattern == "mottled":
            return self.fine.sample(size, window, shift)
        if self.pattern == "speckled":
            return np.clip((self.fine.sample(size, window, shift) - self.level) * np.float32(4), 0, 2)
        y = ((np.arange(window.top, window.bottom) + 0.5) / size + shift[0])[:, None] * self.waves
        x = ((np.arange(window.left, window.right) + 0.5) / size + shift[1]) * self.waves
        c, s = self.heading
        phase = (x * c + y * s).astype(np.float32) + broad * self.warp
        if self.pattern == "waves":
            return sine(phase)
        hard = np.clip(sine(phase) * np.float32(5), -1, 1)
        if self.pattern == "striped":
            return hard
        other = (y * c - x * s).astype(np.float32) + broad * self.warp
        return hard * np.clip(sine(other) * np.float32(5), -1, 1)


def any_colour(draws: Draws) -> Colour:
    """A colour as manufactured things have them: greys, muted and vivid ones."""
    saturation = draws.pick((draws.uniform(0, 0.15), draws.uniform(0.2, 0.6), draws.uniform(0.6, 0.95)))
    return hsv(draws.unit(), saturation, draws.uniform(0.15, 0.95))


def near(draws: Draws, hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """A colour from ranges of hue (in turns, may go below 0), saturation and value."""
    return hsv(draws.uniform(*hue) % 1.0, draws.uniform(*saturation), draws.uniform(*value))
