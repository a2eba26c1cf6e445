"""The alpha of every pixel from a mask's logits: the soft edge of a cut-out. numpy only."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basam.files import eroded

# A pixel this many logits above or below the edge is fully opaque or fully transparent.
EDGE = 2.0
# Alpha at the edge itself.
HALF = 128


# Width of a soft edge to either side, as a share of the image's long side, and at least in pixels.
EDGE_WIDTH, LEAST_EDGE_WIDTH = 1 / 200, 4


def edge_width(height: int, width: int) -> int:
    """Width in pixels of a soft edge to either side of a mask's edge, for an image of this size."""
    return max(LEAST_EDGE_WIDTH, round(max(height, width) * EDGE_WIDTH))


@dataclass(frozen=True, eq=False)
class SoftMask:
    """Alpha in a rectangle of an image, 0 to 255; compressed, because nearly all values are 0 or 255.

    Attributes:
        top, left: of the rectangle in pixels of the image.
        shape: its height and width.
        data: alpha row by row, compressed.
    """

    top: int
    left: int
    shape: tuple[int, int]
    data: bytes

    @classmethod
    def of_logits(cls, logits: NDArray[np.float32], radius: int, top: int = 0, left: int = 0) -> SoftMask:
        """From logits `(h, w)` relative to the mask's threshold; outside the rectangle alpha is 0.

        Args:
            radius: pixels farther than this from the mask's edge are opaque or transparent, however uncertain the model; nearer
                ones fade. See `edge_width`.
        """
        shares = np.clip((logits + EDGE) * (255 / (2 * EDGE)), 0, 255)
        inside = logits > 0
        # Uncertain areas fade with the distance from the edge, rather than stop at the radius.
        distance = np.zeros(logits.shape, dtype=np.float32)
        for mask in (inside, ~inside):
            for _ in range(radius):
                mask = eroded(mask)
                distance += mask
        sure = np.where(inside, np.float32(255), np.float32(0))
        faded = sure + (shares - sure) * (1 - distance / max(1, radius))
        return cls.of_shares((faded + 0.5).astype(np.uint8), top, left)

    @classmethod
    def of_shares(cls, shares: NDArray[np.uint8], top: int, left: int) -> SoftMask:
        """From alpha `(h, w)`, 0 to 255."""
        return cls(top, left, (shares.shape[0], shares.shape[1]), zlib.compress(shares.tobytes(), 1))

    def shares(self) -> NDArray[np.uint8]:
        """Alpha of the rectangle, `shape`."""
        return np.frombuffer(zlib.decompress(self.data), dtype=np.uint8).reshape(self.shape)
