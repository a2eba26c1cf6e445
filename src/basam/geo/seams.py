"""Which pieces of two windows that overlap are of one object.

Two windows agree on an object where they see the same pixels. A piece that its window cuts says nothing of what lies beyond, so
it is compared within its window alone; a piece that is whole also says that there is no more of it. Of pieces that could belong
together the most alike do, each once.

What then still ends at an edge that lies within the other window goes on there: an arm of an object that the other window shows
in one piece. Each strand of a piece along such an edge is of the piece that covers it there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from basam.geo.pieces import Piece
from basam.geo.windows import RasterWindow
from basam.masks import area_within, part_of

# Least IoU of two pieces of one object where both are seen.
ALIKE = 0.5
# Least share of a strand that lies in the piece that it goes on in; and in one that is alike anyway.
COVERS, EXPLAINS = 0.7, 0.5
# Least share of the strand in what the piece that it goes on in has around it, as far to both sides as the strand is long, and
# no other piece of the strand's window has: a strand is not of all that it lies in.
FILLS = 0.5

Rectangle = tuple[int, int, int, int]
Slices = tuple[slice, slice]


class Link(NamedTuple):
    """Piece `first` of one window and piece `second` of the other are of one object; `alike`: how surely, 0 to 1. `goes_on`:
    one is an arm of the other."""

    first: int
    second: int
    alike: float
    goes_on: bool = False


class Meeting(NamedTuple):
    """Two pieces that share pixels, and their IoU where both are seen."""

    first: int
    second: int
    alike: float


def links_between(one: RasterWindow, firsts: Sequence[Piece], other: RasterWindow, seconds: Sequence[Piece]) -> list[Link]:
    """Links of the pieces of two windows that overlap."""
    met = meetings(one, firsts, other, seconds)
    links, of_first, of_second = [], set(), set()
    for first, second, alike in met:
        if alike >= ALIKE and first not in of_first and second not in of_second:
            links.append(Link(first, second, alike))
            of_first.add(first)
            of_second.add(second)
    from_first = [(link.first, link.second) for link in links]
    pairs = [(each.first, each.second) for each in met]
    for second, first, share in arms(other, seconds, one, firsts, turned(pairs), turned(from_first)):
        links.append(Link(first, second, share, goes_on=True))
    for first, second, share in arms(one, firsts, other, seconds, pairs, from_first):
        links.append(Link(first, second, share, goes_on=True))
    return links


def turned(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(second, first) for first, second in pairs]


def meetings(one: RasterWindow, firsts: Sequence[Piece], other: RasterWindow, seconds: Sequence[Piece]) -> list[Meeting]:
    """Pieces that share pixels, the most alike first; of those alike to the same degree, such as a thing and its part that look
    the same here, the larger first."""
    shared = {
        (first, second): pixels
        for first, second in meeting_boxes(firsts, seconds)
        if (pixels := firsts[first].runs.shared(seconds[second].runs))
    }
    seen_first = {first: area_within(firsts[first].runs, *other.box) for first, _ in shared}
    seen_second = {second: area_within(seconds[second].runs, *one.box) for _, second in shared}
    found = []
    for (first, second), pixels in shared.items():
        a, b = firsts[first], seconds[second]
        area = (b.runs.area if a.is_whole else seen_second[second]) + (a.runs.area if b.is_whole else seen_first[first])
        found.append((pixels / (area - pixels), min(a.runs.area, b.runs.area), first, second))
    return [Meeting(first, second, alike) for alike, _, first, second in sorted(found, key=lambda each: (-each[0], -each[1]))]


def meeting_boxes(firsts: Sequence[Piece], seconds: Sequence[Piece]) -> list[tuple[int, int]]:
    """Which pieces have boxes that overlap."""
    if not firsts or not seconds:
        return []
    a = np.array([piece.runs.box for piece in firsts])[:, None]
    b = np.array([piece.runs.box for piece in seconds])[None]
    overlap = (a[..., :2] < b[..., 2:]).all(-1) & (b[..., :2] < a[..., 2:]).all(-1)
    return [(int(first), int(second)) for first, second in np.argwhere(overlap)]


def arms(
    window: RasterWindow,
    pieces: Sequence[Piece],
    other: RasterWindow,
    others: Sequence[Piece],
    met: Sequence[tuple[int, int]],
    linked: Sequence[tuple[int, int]],
) -> Iterator[tuple[int, int, float]]:
    """Where each strand of a window's pieces that ends at its edge goes on: the piece, that of the other window, and the share
    of the strand that the latter covers. It is a piece that is linked with it where one covers enough."""
    partners: dict[int, list[int]] = {}
    for index, partner in met:
        partners.setdefault(index, []).append(partner)
    known = set(linked)
    for index, candidates in partners.items():
        for band, axis in bands_within(window, pieces[index], other):
            inside = part_of(pieces[index].runs, *band)
            rest = np.zeros_like(inside)
            for each in partners:
                if each != index and meets(pieces[each], band):
                    rest |= part_of(pieces[each].runs, *band)
            parts = {partner: part_of(others[partner].runs, *band) for partner in candidates}
            for strand, around in strands_of(inside, axis):
                fits = []
                for partner, part in parts.items():
                    covered = int((part & inside)[strand].sum())
                    share = covered / int(inside[strand].sum())
                    if (index, partner) in known:
                        fits += [(True, share, partner)] if share >= EXPLAINS else []
                    elif share >= COVERS and covered >= FILLS * int((part & ~rest)[around].sum()):
                        fits.append((False, share, partner))
                if fits:
                    _, share, partner = max(fits, key=lambda each: each[:2])
                    yield index, partner, share


def meets(piece: Piece, band: Rectangle) -> bool:
    """Whether the box of a piece reaches into a rectangle."""
    x0, y0, x1, y1 = piece.runs.box
    return x0 < band[2] and band[0] < x1 and y0 < band[3] and band[1] < y1


def bands_within(window: RasterWindow, piece: Piece, other: RasterWindow) -> list[tuple[Rectangle, int]]:
    """Along the edges of a window that may cut a piece and lie within another window, which sees beyond them: the rectangle in
    which it may be cut and which the other window sees, and the axis along the edge (0: y)."""
    left, top = max(window.x0, other.x0), max(window.y0, other.y0)
    right, bottom = min(window.x1, other.x1), min(window.y1, other.y1)
    near = piece.near
    wanted = (
        (piece.cut.left and other.x0 < window.x0 < other.x1, (left, top, min(right, window.x0 + near), bottom), 0),
        (piece.cut.top and other.y0 < window.y0 < other.y1, (left, top, right, min(bottom, window.y0 + near)), 1),
        (piece.cut.right and other.x0 < window.x1 < other.x1, (max(left, window.x1 - near), top, right, bottom), 0),
        (piece.cut.bottom and other.y0 < window.y1 < other.y1, (left, max(top, window.y1 - near), right, bottom), 1),
    )
    return [(band, axis) for is_wanted, band, axis in wanted if is_wanted and band[0] < band[2] and band[1] < band[3]]


def strands_of(inside: NDArray[np.bool_], axis: int) -> list[tuple[Slices, Slices]]:
    """Where along an axis a mask `(h, w)` has pixels without a gap, and the same with its length before and after it."""
    there = np.concatenate([[False], inside.any(axis=1 - axis), [False]])
    edges = np.flatnonzero(there[1:] != there[:-1]).tolist()
    found = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        strand, around = slice(start, end), slice(max(0, 2 * start - end), 2 * end - start)
        whole = slice(None)
        found.append(((strand, whole), (around, whole)) if axis == 0 else ((whole, strand), (whole, around)))
    return found
