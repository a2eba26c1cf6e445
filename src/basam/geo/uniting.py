"""Unite the pieces of windows into objects."""

from __future__ import annotations

from dataclasses import dataclass, field

from basam.geo.pieces import Piece, PieceStore, Place
from basam.geo.seams import links_between
from basam.masks import RunMask, united

# Two pieces of one window are united only by links with at least this IoU, not by chains of weaker ones.
SURE = 0.9


@dataclass
class Groups:
    """Sets of pieces of one object, which can be merged (union-find)."""

    parents: dict[Place, Place] = field(default_factory=dict)
    windows: dict[Place, set[int]] = field(default_factory=dict)  # per set, by its root

    def root(self, place: Place) -> Place:
        while (parent := self.parents.setdefault(place, place)) != place:
            self.parents[place] = place = self.parents.setdefault(parent, parent)
        return place

    def windows_of(self, root: Place) -> set[int]:
        return self.windows.setdefault(root, {root.window})

    def merge(self, one: Place, other: Place, *, twice: bool) -> None:
        """Merge two sets; without `twice` only if no window has pieces in both."""
        one, other = sorted((self.root(one), self.root(other)))
        if one == other or (not twice and self.windows_of(one) & self.windows_of(other)):
            return
        self.parents[other] = one
        self.windows[one] = self.windows_of(one) | self.windows_of(other)
        self.windows.pop(other)


def objects_of(store: PieceStore) -> list[list[Place]]:
    """The pieces per object, in the order of windows and of the masks in them.

    Pieces that are cut off and unconfirmed are dropped: those that no other window shows although every cutting edge is inside
    one, or that a window which sees all of the object does not show whole.
    """
    groups, places = Groups(), []
    links: list[tuple[float, Place, Place, bool]] = []
    boxes: dict[Place, tuple[int, int, int, int]] = {}
    cut: set[Place] = set()
    for window in store.windows:
        pieces = store.of_window(window.number)
        for index, piece in enumerate(pieces):
            place = Place(window.number, index)
            places.append(place)
            if not piece.is_whole:
                cut.add(place)
                boxes[place] = piece.runs.box
        for other in store.windows.before(window):
            for first, second, iou, continues in links_between(window, pieces, other, store.of_window(other.number)):
                links.append((iou, Place(window.number, first), Place(other.number, second), continues))
    for iou, one, another, continues in sorted(links, key=lambda link: (link[3], -link[0])):
        groups.merge(one, another, twice=continues or iou >= SURE)
    members: dict[Place, list[Place]] = {}
    for place in places:
        members.setdefault(groups.root(place), []).append(place)
    return [group for group in members.values() if is_confirmed(group, cut, boxes, store)]


def is_confirmed(group: list[Place], cut: set[Place], boxes: dict[Place, tuple[int, int, int, int]], store: PieceStore) -> bool:
    """Whether a piece is whole, or several windows show the object and all that see it whole are among them."""
    if not cut.issuperset(group):
        return True
    lows, highs = zip(*((boxes[place][:2], boxes[place][2:]) for place in group), strict=True)
    x0, y0 = map(min, zip(*lows, strict=True))
    x1, y1 = map(max, zip(*highs, strict=True))
    of_group = {place.window for place in group}
    return len(of_group) > 1 and all(window.number in of_group for window in store.windows.seeing_whole((x0, y0, x1, y1)))


def united_piece(pieces: list[Piece]) -> tuple[RunMask, Piece]:
    """The mask of an object, and the piece whose scores it gets.

    If pieces are whole, the object is the one with the highest predicted IoU; otherwise it is the union, with the scores of the
    largest piece.
    """
    whole = [piece for piece in pieces if piece.is_whole]
    if whole:
        best = max(whole, key=lambda piece: piece.predicted_iou)
        return best.runs, best
    return united([piece.runs for piece in pieces]), max(pieces, key=lambda piece: piece.runs.area)
