"""Decides which pieces of two overlapping windows are of one object.

Two windows agree on an object if they see the same pixels. A piece that its window cuts off tells nothing about the area
beyond, so it is compared inside its window only; a whole piece also tells that there is no more of it. Of all candidate pairs
the most similar are linked, every piece at most once.

A piece that then still ends at an edge inside the other window continues there: it is an arm of an object that the other
window shows in one piece. Every strand of a piece along such an edge is linked with the piece that covers it there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from basam.geo.pieces import Piece
from basam.geo.windows import RasterWindow
from basam.masks import area_within, part_of

# Least IoU of two pieces of one object, where both are visible.
SAME_OBJECT_IOU = 0.5
# Least share of a strand that is inside the piece it continues in; and inside one that is linked anyway.
COVERS, EXPLAINS = 0.7, 0.5
# Least share of the strand in the surroundings of the strand (as far to both sides as it is long) that the other piece covers
# and no other piece of the strand's window has: otherwise the strand is only one of several things inside that piece.
FILLS = 0.5

Rectangle = tuple[int, int, int, int]
Slices = tuple[slice, slice]


class Link(NamedTuple):
    """Piece `first` of one window and piece `second` of the other are of one object; `iou`: confidence, 0 to 1. `continues`:
    one is an arm of the other."""

    first: int
    second: int
    iou: float
    continues: bool = False


class Overlap(NamedTuple):
    """Two pieces that share pixels, and their IoU where both are visible."""

    first: int
    second: int
    iou: float


def links_between(one: RasterWindow, firsts: Sequence[Piece], other: RasterWindow, seconds: Sequence[Piece]) -> list[Link]:
    """Links between the pieces of two overlapping windows."""
    shared = overlaps(one, firsts, other, seconds)
    links, of_first, of_second = [], set(), set()
    for first, second, iou in shared:
        if iou >= SAME_OBJECT_IOU and first not in of_first and second not in of_second:
            links.append(Link(first, second, iou))
            of_first.add(first)
            of_second.add(second)
    from_first = [(link.first, link.second) for link in links]
    pairs = [(pair.first, pair.second) for pair in shared]
    for second, first, share in arms(other, seconds, one, firsts, swapped(pairs), swapped(from_first)):
        links.append(Link(first, second, share, continues=True))
    for first, second, share in arms(one, firsts, other, seconds, pairs, from_first):
        links.append(Link(first, second, share, continues=True))
    return links


def swapped(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(second, first) for first, second in pairs]


def overlaps(one: RasterWindow, firsts: Sequence[Piece], other: RasterWindow, seconds: Sequence[Piece]) -> list[Overlap]:
    """Pieces that share pixels, by descending IoU; of equals, such as a thing and its part that look the same here, the larger
    first."""
    shared = {
        (first, second): pixels
        for first, second in overlapping_boxes(firsts, seconds)
        if (pixels := firsts[first].runs.shared(seconds[second].runs))
    }
    seen_first = {first: area_within(firsts[first].runs, *other.box) for first, _ in shared}
    seen_second = {second: area_within(seconds[second].runs, *one.box) for _, second in shared}
    ranked = []
    for (first, second), pixels in shared.items():
        a, b = firsts[first], seconds[second]
        area = (b.runs.area if a.is_whole else seen_second[second]) + (a.runs.area if b.is_whole else seen_first[first])
        ranked.append((pixels / (area - pixels), min(a.runs.area, b.runs.area), first, second))
    return [Overlap(first, second, iou) for iou, _, first, second in sorted(ranked, key=lambda pair: (-pair[0], -pair[1]))]


def overlapping_boxes(firsts: Sequence[Piece], seconds: Sequence[Piece]) -> list[tuple[int, int]]:
    """Pairs of pieces whose boxes overlap."""
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
    """For every strand of a window's pieces that ends at its edge: its piece, the piece of the other window that it continues
    in, and the share of the strand that this covers. A piece that is linked already is preferred if it covers enough."""
    partners: dict[int, list[int]] = {}
    for index, partner in met:
        partners.setdefault(index, []).append(partner)
    known = set(linked)
    for index, candidates in partners.items():
        for band, axis in bands_within(window, pieces[index], other):
            inside = part_of(pieces[index].runs, *band)
            rest = np.zeros_like(inside)
            for partner in partners:
                if partner != index and meets(pieces[partner], band):
                    rest |= part_of(pieces[partner].runs, *band)
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
                    _, share, partner = max(fits, key=lambda fit: fit[:2])
                    yield index, partner, share


def meets(piece: Piece, band: Rectangle) -> bool:
    """Whether the box of a piece overlaps a rectangle."""
    x0, y0, x1, y1 = piece.runs.box
    return x0 < band[2] and band[0] < x1 and y0 < band[3] and band[1] < y1


def bands_within(window: RasterWindow, piece: Piece, other: RasterWindow) -> list[tuple[Rectangle, int]]:
    """Along the edges of a window that may cut a piece and are inside another window: the rectangle in which the piece may be
    cut and which the other window sees, and the axis along the edge (0: y)."""
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
    """Slices of a mask `(h, w)` along an axis without gaps, and the same extended by their length at both ends."""
    there = np.concatenate([[False], inside.any(axis=1 - axis), [False]])
    edges = np.flatnonzero(there[1:] != there[:-1]).tolist()
    strands = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        strand, around = slice(start, end), slice(max(0, 2 * start - end), 2 * end - start)
        whole = slice(None)
        strands.append(((strand, whole), (around, whole)) if axis == 0 else ((whole, strand), (whole, around)))
    return strands
