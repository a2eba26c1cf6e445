"""The header of a PNG file: what it states of its samples and Pillow does not pass on (PNG specification, third edition)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6


@dataclass(frozen=True)
class PngHead:
    """`bits` of a sample as stored, `colour` type, `significant` bits of sBIT's colours (None: not stated), `key` of tRNS."""

    bits: int
    colour: int
    significant: int | None = None
    key: tuple[int, ...] | None = None

    @property
    def is_deep_colour(self) -> bool:
        return self.bits == 16 and self.colour in (RGB, GREY_ALPHA, RGB_ALPHA)


def read_png_head(stream: BinaryIO) -> PngHead:
    """The header of a PNG file, up to its pixels.

    Raises:
        ValueError: it is cut off, or not a PNG.
    """
    stream.seek(len(SIGNATURE))
    chunks: dict[bytes, bytes] = {}
    while len(head := stream.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (b"IDAT", b"IEND"):
            break
        if name in (b"IHDR", b"sBIT", b"tRNS"):
            chunks[name] = stream.read(length)
            stream.seek(4, 1)
        else:
            stream.seek(length + 4, 1)
    if len(chunks.get(b"IHDR", b"")) < 13:
        raise ValueError("it has no PNG header")
    bits, colour = chunks[b"IHDR"][8], chunks[b"IHDR"][9]
    significant = chunks.get(b"sBIT", b"")[: 3 if colour in (RGB, RGB_ALPHA) else 1]
    key = chunks.get(b"tRNS", b"")
    keys = struct.unpack(f">{len(key) // 2}H", key[: len(key) // 2 * 2]) if colour in (GREY, RGB) and key else None
    return PngHead(bits, colour, max(significant) if significant and 0 < max(significant) < bits else None, keys)


def depth_in_use(values: NDArray[np.generic], significant: int | None) -> int | None:
    """Bits that 16-bit samples are to be scaled by if sBIT states how many are significant, else None.

    The specification scales samples of fewer bits up to 16 before storing; many writers store them unscaled. Values above the
    smaller range were scaled; all others were not, unless they are both dark and multiples of the scaling step.
    """
    if significant is None:
        return None
    highest = int(values.max())
    if highest >= 2**significant:
        return 16
    step = 2 ** (16 - significant)
    is_scaled = highest < 2 ** (significant - 1) and not (values % step).any()
    return 16 if is_scaled and highest else significant
