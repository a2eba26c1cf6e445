"""Prompts of an object as the page sends them, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from basam.batch import box_of, points_of
from basam.checks import is_whole
from basam.errors import InputError, MissingFileError
from basam.web.library import LibraryPhoto

MOST_POINTS = 1000


@dataclass(frozen=True)
class PromptSet:
    """Prompts of one object, in pixels of the photo; see `session.SegmentedObject`."""

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, ...] | None = None
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
    points = points_of(values.get("points") or [])
    if len(points) > MOST_POINTS:
        raise InputError(f"{len(points)} points: at most {MOST_POINTS} are taken")
    box = None if values.get("box") is None else box_of(values["box"])
    for x, y in [point[:2] for point in points] + ([] if box is None else [box[:2], box[2:]]):
        if not (0 <= x <= photo.width and 0 <= y <= photo.height):
            raise InputError(f"{x:g}, {y:g} lies outside the photo of {photo.width} x {photo.height} px")
    candidate = values.get("candidate")
    if candidate is not None and not is_whole(candidate):
        raise InputError(f"candidate {candidate!r}: a whole number is needed")
    method = values.get("method", "focus")
    return PromptSet(points, box, method if isinstance(method, str) else repr(method), candidate)


def checked_colour(text: str) -> str:
    if len(text) != 7 or text[0] != "#" or not all(each in "0123456789abcdefABCDEF" for each in text[1:]):
        raise InputError(f"colour {text!r}: #rrggbb is needed")
    return text


def check_key(key: str) -> None:
    """Keys of objects stand in addresses and names of files."""
    if not (key.isascii() and key.isalnum() and len(key) <= 32):
        raise MissingFileError(f"object {key!r}: letters and digits are needed")
