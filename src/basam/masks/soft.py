"""How much each pixel is of an object, from a mask's logits: the soft edge of a cut-out. numpy only."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basam.files import eroded

# Pixels are wholly of the object, or not at all, this many logits above and below its edge.
EDGE = 2.0
# The share at the edge itself.
HALF = 128


# How far a soft edge reaches, as a share of the image's long side, and at least in pixels.
REACH, LEAST_REACH = 1 / 200, 4


def reach_in(height: int, width: int) -> int:
    """How many pixels a soft edge reaches to either side of a mask's edge in an image of this size."""
    return max(LEAST_REACH, round(max(height, width) * REACH))


@dataclass(frozen=True, eq=False)
class SoftMask:
    """Shares of a rectangle of an image, 0 to 255; kept compressed, since nearly all of them are one or the other.

    Attributes:
        top, left: of the rectangle in pixels of the image.
        shape: its height and width.
        data: its shares row by row, compressed.
    """

    top: int
    left: int
    shape: tuple[int, int]
    data: bytes

    @classmethod
    def of_logits(cls, logits: NDArray[np.float32], reach: int, top: int = 0, left: int = 0) -> SoftMask:
        """From logits `(h, w)` relative to the mask's threshold; what lies beyond the rectangle is outside of the object.

        Args:
            reach: pixels at least so far from the mask's edge are in it or not, however uncertain the model; nearer ones fade.
                See `reach_in`.
        """
        shares = np.clip((logits + EDGE) * (255 / (2 * EDGE)), 0, 255)
        inside = logits > 0
        # What the model is unsure of fades out with the distance from the edge, rather than ending there.
        distance = np.zeros(logits.shape, dtype=np.float32)
        for mask in (inside, ~inside):
            for _ in range(reach):
                mask = eroded(mask)
                distance += mask
        sure = np.where(inside, np.float32(255), np.float32(0))
        faded = sure + (shares - sure) * (1 - distance / max(1, reach))
        return cls.of_shares((faded + 0.5).astype(np.uint8), top, left)

    @classmethod
    def of_shares(cls, shares: NDArray[np.uint8], top: int, left: int) -> SoftMask:
        """From shares `(h, w)`, 0 to 255."""
        return cls(top, left, (shares.shape[0], shares.shape[1]), zlib.compress(shares.tobytes(), 1))

    def shares(self) -> NDArray[np.uint8]:
        """Of the rectangle, `shape`."""
        return np.frombuffer(zlib.decompress(self.data), dtype=np.uint8).reshape(self.shape)
