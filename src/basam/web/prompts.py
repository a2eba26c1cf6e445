"""Prompts of an object as the page sends them, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from basam.errors import InputError, MissingFileError
from basam.web.library import LibraryPhoto


@dataclass(frozen=True)
class PromptSet:
    """Prompts of one object, in pixels of the photo; see `session.SegmentedObject`."""

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    method: str = "focus"
    candidate: int | None = None

    @property
    def count(self) -> int:
        return len(self.points) + (self.box is not None)

    @property
    def before(self) -> PromptSet:
        """Without the newest point."""
        return replace(self, points=self.points[:-1])


def prompts_of(values: dict[str, Any], photo: LibraryPhoto) -> PromptSet:
    """Prompts as the page sends them.

    Raises:
        ValueError: naming what is wrong.
    """
    points = tuple((*(inside(f"point {point}", point[:2], photo)), label_of(point)) for point in listed("points", values, 3))
    box = values.get("box")
    corners = None if box is None else inside("box", listed("box", {"box": [box]}, 4)[0], photo)
    candidate = values.get("candidate")
    if candidate is not None and (not isinstance(candidate, int) or isinstance(candidate, bool)):
        raise InputError(f"candidate {candidate!r}: a whole number is needed")
    method = values.get("method", "focus")
    return PromptSet(points, corners, method if isinstance(method, str) else repr(method), candidate)  # type: ignore[arg-type]


def listed(name: str, values: dict[str, Any], length: int) -> Sequence[Any]:
    found = values.get(name) or []
    if not isinstance(found, list) or len(found) > 1000 or not all(isinstance(e, list) and len(e) == length for e in found):
        raise InputError(f"{name}: lists of {length} numbers are needed, at most 1000")
    return found


def label_of(point: Sequence[Any]) -> int:
    if point[2] not in (0, 1):
        raise InputError(f"label {point[2]!r} of a point: 1 (on the object) or 0 (not on it) is needed")
    return int(point[2])


def inside(name: str, numbers: Sequence[Any], photo: LibraryPhoto) -> tuple[float, ...]:
    """Numbers x, y, x, y, ... that lie in the photo."""
    for place, number in enumerate(numbers):
        limit = photo.height if place % 2 else photo.width
        if not isinstance(number, (int, float)) or isinstance(number, bool) or not 0 <= number <= limit:
            raise InputError(f"{name}: {number!r} lies outside the photo of {photo.width} x {photo.height} px")
    return tuple(float(number) for number in numbers)


def checked_colour(text: str) -> str:
    if len(text) != 7 or text[0] != "#" or not all(each in "0123456789abcdefABCDEF" for each in text[1:]):
        raise InputError(f"colour {text!r}: #rrggbb is needed")
    return text


def check_key(key: str) -> None:
    """Keys of objects stand in addresses and names of files."""
    if not (key.isascii() and key.isalnum() and len(key) <= 32):
        raise MissingFileError(f"object {key!r}: letters and digits are needed")
