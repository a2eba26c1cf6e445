"""The pages of a TIFF file by their tags, and which of them is the photograph. Nothing is decoded here.

Pillow shows the first page, whatever it is, and does not open a file whose first page it cannot decode; the photograph may
be a later page or one below another (`SubIFDs`), as in DNG and pyramids. Layout: TIFF 6.0 (Adobe, 1992), BigTIFF, DNG 1.7.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from basam.files.notes import UnsupportedImageError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION = 256, 257, 258, 259, 262, 274
SAMPLES, MAX_SAMPLE, PLANAR, COLOURS, SUB_IFDS, EXTRA, FORMAT = 277, 281, 284, 320, 330, 338, 339
DESCRIPTION, SUBFILE, SUBSAMPLING, NODATA, GEO_KEYS, STRIP_BYTES, TILE_BYTES = 270, 254, 530, 42113, 34735, 279, 325
PLACE = (33550, 33922, 34264)  # pixel scale, tie points and transformation of GeoTIFF
WANTED = {
    *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, MAX_SAMPLE, PLANAR, COLOURS, SUB_IFDS),
    *(EXTRA, FORMAT, DESCRIPTION, SUBFILE, SUBSAMPLING, NODATA, GEO_KEYS, STRIP_BYTES, TILE_BYTES),
    *PLACE,
}
# Letters of `struct` by the number of a tag's type; rational numbers are of no use here.
TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "s", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
RAW = {32803: "raw sensor data", 34892: "raw sensor data"}
NO_PHOTOGRAPH = RAW | {4: "a mask", 51177: "a depth map", 52527: "a mask"}
REDUCED, MASK = 1, 4  # bits of the tag NewSubfileType
MOST_PAGES = 100_000
LONGEST = 1 << 24  # bytes of one tag


@dataclass(frozen=True)
class TiffPage:
    """One page: the offset of its tags, and the tags that decide how it is read."""

    offset: int
    tags: dict[int, Any]
    is_big_endian: bool = False

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        value = self.tags.get(tag, default)
        return value if isinstance(value, tuple) else default

    def number(self, tag: int, default: int = 0) -> int:
        return next(iter(self.numbers(tag)), default)

    def text(self, tag: int) -> str:
        value = self.tags.get(tag, b"")
        return value.split(b"\0")[0].decode("utf-8", "replace") if isinstance(value, bytes) else ""

    @property
    def is_subsampled(self) -> bool:
        """Whether colours are stored for several pixels at once, uncompressed: then there are fewer bytes than samples. The tag
        is not enough: leaving it out means the default, 2 x 2, even in files without subsampling."""
        if self.photometric != YCBCR or self.numbers(SUBSAMPLING, (2, 2)) == (1, 1):
            return False
        stored = sum(self.numbers(STRIP_BYTES) or self.numbers(TILE_BYTES))
        return stored < math.prod(self.size) * self.samples * self.bits / 8

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored."""
        return self.number(WIDTH), self.number(HEIGHT)

    @property
    def upright_size(self) -> tuple[int, int]:
        width, height = self.size
        return (height, width) if self.number(ORIENTATION) in (5, 6, 7, 8) else (width, height)

    @property
    def photometric(self) -> int:
        return self.number(PHOTOMETRIC)

    @property
    def samples(self) -> int:
        return self.number(SAMPLES, 1)

    @property
    def bits(self) -> int:
        """Of the deepest sample."""
        return max(self.numbers(BITS, (1,)))

    @property
    def format(self) -> str:
        """`u` whole numbers, `i` with a sign, `f` floats, as NumPy names them; `?` complex numbers and others."""
        return {1: "u", 2: "i", 3: "f", 4: "u"}.get(self.number(FORMAT, 1), "?")

    @property
    def is_georeferenced(self) -> bool:
        """Whether its keys of GeoTIFF name a model of the earth (OGC 19-008r4: key 1024, four numbers a key after the first
        four)."""
        keys = self.numbers(GEO_KEYS)[4:]
        return any(key == 1024 and value for key, value in zip(keys[::4], keys[3::4], strict=False))

    @property
    def lacks_crs(self) -> bool:
        """Whether it has a place and no coordinate reference system to read it in."""
        return any(tag in self.tags for tag in PLACE) and not self.is_georeferenced

    @property
    def other_than_a_photograph(self) -> str | None:
        """What the page holds if it is not a photograph."""
        return "a mask" if self.number(SUBFILE) & MASK else NO_PHOTOGRAPH.get(self.photometric)


def read_pages(stream: BinaryIO) -> list[TiffPage]:
    """All pages, every page followed by its sub-pages.

    Raises:
        ValueError: no TIFF, or one whose tags are cut off.
    """
    head = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise ValueError("it has no header of TIFF")
    version = struct.unpack(order + "H", head[2:4])[0]
    tags = TagReader(stream, order, big=version == 43)
    first = struct.unpack(order + "Q", head[8:16])[0] if tags.big else struct.unpack(order + "I", head[4:8])[0]
    pages: list[TiffPage] = []
    for page in tags.chain(first):
        pages.append(page)
        for offset in page.numbers(SUB_IFDS):
            pages += tags.chain(offset)
        if len(pages) > MOST_PAGES:
            raise ValueError(f"it has more than {MOST_PAGES} pages")
    return [page for page in pages if all(page.size)]


class TagReader:
    """Reads tags of one file, in its byte order and with offsets of 4 or 8 bytes."""

    def __init__(self, stream: BinaryIO, order: str, big: bool) -> None:
        self.stream, self.order, self.big = stream, order, big
        self.seen: set[int] = set()

    def chain(self, offset: int) -> Iterator[TiffPage]:
        """The page at `offset` and those after it; ends where the chain returns to a page it has passed."""
        while offset and offset not in self.seen:
            self.seen.add(offset)
            page, following = self.page(offset)
            yield page
            offset = following

    def page(self, offset: int) -> tuple[TiffPage, int]:
        count = self.unpack(offset, "Q" if self.big else "H")[0]
        start, size = (offset + 8, 20) if self.big else (offset + 2, 12)
        if count > 4096:
            raise ValueError(f"a page of {count} tags")
        table = self.read(start, count * size + (8 if self.big else 4))
        tags: dict[int, Any] = {}
        for place in range(0, count * size, size):
            tag, kind = struct.unpack_from(self.order + "HH", table, place)
            number = struct.unpack_from(self.order + ("Q" if self.big else "I"), table, place + 4)[0]
            if tag in WANTED and kind in TYPES:
                tags[tag] = self.value(TYPES[kind], number, table[place + (12 if self.big else 8) : place + size])
        following = struct.unpack_from(self.order + ("Q" if self.big else "I"), table, count * size)[0]
        return TiffPage(offset, tags, self.order == ">"), following

    def value(self, letter: str, count: int, field: bytes) -> Any:
        """A tag's bytes or numbers, stored in `field` itself or at the offset it gives."""
        length = count * struct.calcsize(letter)
        if length > LONGEST:
            raise ValueError(f"a tag of {length} bytes")
        if length > len(field):
            field = self.read(struct.unpack(self.order + ("Q" if self.big else "I"), field)[0], length)
        return field[:count] if letter == "s" else struct.unpack_from(f"{self.order}{count}{letter}", field)

    def unpack(self, offset: int, letter: str) -> tuple[int, ...]:
        return struct.unpack(self.order + letter, self.read(offset, struct.calcsize(letter)))

    def read(self, offset: int, length: int) -> bytes:
        self.stream.seek(offset)
        data = self.stream.read(length)
        if len(data) < length:
            raise ValueError("it is cut off within its tags")
        return data


def main_page(pages: list[TiffPage]) -> tuple[TiffPage, str | None]:
    """The photograph among the pages, and a note where there was a choice.

    Masks, depth maps and raw sensor data are skipped. Of the rest, take the first with at least half the pixels of the
    largest: thumbnails and pyramid levels have a quarter at most, scanned pages of one document differ by a little.

    Raises:
        UnsupportedImageError: there is none.
    """
    pictures = [page for page in pages if page.other_than_a_photograph is None]
    if not pictures:
        held = {page.other_than_a_photograph for page in pages if page.other_than_a_photograph}
        raise UnsupportedImageError(f"holds {' and '.join(sorted(held))}, and no picture" if held else "holds no picture")
    most = max(math.prod(page.size) for page in pictures)
    page = next(page for page in pictures if 2 * math.prod(page.size) >= most)
    raw = max((other.size for other in pages if other.photometric in RAW), key=math.prod, default=(0, 0))
    if 4 * math.prod(page.size) < math.prod(raw):
        raise UnsupportedImageError(
            f"holds raw sensor data of {raw[0]} x {raw[1]} px, and of pictures only a thumbnail of {page.size[0]} x "
            f"{page.size[1]} px: develop it to a JPEG or TIFF first"
        )
    if len(pages) == 1:
        return page, None
    others = [other for other in pages if other is not page]
    named = "; ".join(dict.fromkeys(describe(other) for other in others[:3]))
    more = "; ..." if len(others) > 3 else ""
    taken = f"{page.upright_size[0]} x {page.upright_size[1]} px, was taken"
    return page, f"it holds {len(pages)} pictures: number {pages.index(page) + 1}, {taken}; left: {named}{more}"


def describe(page: TiffPage) -> str:
    """A page that was not chosen, for a note."""
    width, height = page.upright_size
    kind = page.other_than_a_photograph or ("a reduced copy" if page.number(SUBFILE) & REDUCED else "a picture")
    return f"{kind} of {width} x {height} px"


class TiffFromPage(io.RawIOBase):
    """A TIFF file whose header points at another of its pages; everything else is unchanged.

    Every TIFF reader then opens that page, also readers that see only the first.
    """

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self.stream = stream
        stream.seek(0)
        head = stream.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = struct.unpack(order + "H", head[2:4])[0] == 43
        self.head = head[:8] + struct.pack(order + "Q", offset) if big else head[:4] + struct.pack(order + "I", offset)
        stream.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.stream.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.stream.seek(offset, whence)

    def fileno(self) -> int:
        return self.stream.fileno()

    def readinto(self, buffer: Any) -> int:
        place = self.stream.tell()
        data = self.stream.read(memoryview(buffer).nbytes)
        head = self.head[place : place + len(data)]
        # Readers give arrays of other numbers than bytes as well.
        memoryview(buffer).cast("B")[: len(data)] = head + data[len(head) :]
        return len(data)
