"""Prompts of many photos from a file, validated and grouped by photo. Parsing is in `prompt_files`."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.batch.prompt_files import KNOWN, rows_of
from basam.checks import is_number
from basam.errors import InputError


@dataclass(frozen=True)
class PromptRow:
    """One prompt on one photo.

    Attributes:
        box: x0, y0, x1, y1 in pixels; points: x, y, label (1 inside the object, 0 outside). Neither: the whole photo.
        id: a text or a number; label: class of the object; score: confidence of the prompt's source; None: not given.
        category_id: of the label in the user's COCO file.
        where: file and row, for messages; empty: from the command line.
    """

    box: tuple[float, ...] | None = None
    points: tuple[tuple[float, float, float], ...] = ()
    id: int | str | None = None
    label: str | None = None
    score: float | None = None
    category_id: int | str | None = None
    where: str = field(default="", compare=False)

    def named(self) -> dict[str, Any]:
        """Id, label and score, without those that are not given."""
        values = {"id": self.id, "label": self.label, "score": self.score, "category_id": self.category_id}
        return {name: value for name, value in values.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """The prompt as JSON, without values that are not given."""
        places = {"box": self.box, "points": self.points}
        return self.named() | {name: list(value) for name, value in places.items() if value}


@dataclass(frozen=True)
class PromptFile:
    """Prompts by photo, in the order of the file, and rows that cannot be used, with place and reason.

    Attributes:
        names: of the photos in the file; None for absolute paths. image_ids, categories: of a COCO file.
    """

    prompts: dict[Path, list[PromptRow]]
    faults: list[str]
    names: dict[Path, str | None] = field(default_factory=dict)
    image_ids: dict[Path, int | str] = field(default_factory=dict)
    categories: list[dict[str, Any]] = field(default_factory=list)


def read_prompts(path: Path, *, root: Path | None = None, images_json: Path | None = None) -> PromptFile:
    """The prompts of a file; its content decides the kind: JSON lines, CSV, COCO detections or annotations, a session of
    `basam web` (the file of a photo, or the folder).

    Rows that cannot be used, or whose photo does not exist, become faults; the others are returned.

    Args:
        root: a folder that photos' names may be relative to, tried before that of the file (or of `images_json`).
        images_json: for COCO detections: the file whose list `images` has the names of the photos.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: an unknown kind, no row can be used, or `images_json` is missing or does not belong to it.
    """
    own = (images_json or path).parent
    photos = Photos([own] if root is None else [root, own])
    file = PromptFile({}, [])
    prompts, faults = file.prompts, file.faults
    for where, entry in rows_of(path, images_json, file.categories):
        try:
            name, row = named_row(entry, f"{path}, {where}")
            photo = photos.named(name)
        except InputError as error:
            faults.append(f"{path}, {where}: {error}")
            continue
        prompts.setdefault(photo, []).append(row)
        file.names.setdefault(photo, None if os.path.isabs(name) else name.replace("\\", "/"))
        if isinstance(image_id := entry.get("image_id"), (int, str)):
            file.image_ids.setdefault(photo, image_id)
    if not prompts:
        first = f"; the first: {faults[0]}" if faults else ""
        raise InputError(f"{path}: no row of it can be used{first}")
    return file


class Photos:
    """Finds photos by their names in a file of prompts, relative to the first of `roots` that has them."""

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots
        self.of_name: dict[str, Path | None] = {}
        self.of_file: dict[str, Path] = {}  # one path per file, however it is spelled

    def named(self, name: str) -> Path:
        """The photo of a name, whatever the Unicode form of accented letters and the separators of folders.

        Raises:
            ValueError: there is none.
        """
        if name not in self.of_name:
            forms = (name, name.replace("\\", "/"))
            spellings = (*forms, *(unicodedata.normalize(unicode, form) for unicode in ("NFC", "NFD") for form in forms))
            places = (root / spelling for root in self.roots for spelling in spellings)
            path = next((place for place in places if is_file(place)), None)
            self.of_name[name] = None if path is None else self.of_file.setdefault(os.path.abspath(path), path)
        photo = self.of_name[name]
        if photo is None:
            raise InputError(f"photo {self.roots[0] / name}: no such file")
        return photo


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def named_row(entry: Any, where: str) -> tuple[str, PromptRow]:
    """Name of the photo and prompt of a row.

    Raises:
        ValueError: names what is wrong.
    """
    if isinstance(entry, InputError):
        raise entry
    if not isinstance(entry, dict):
        raise InputError(f"{str(entry)[:40]!r}: an object with 'photo' is needed")
    photo, box, points = entry.get("photo"), entry.get("box"), entry.get("points")
    if not isinstance(photo, str) or not photo.strip():
        raise InputError(f"photo {photo!r}: the name of a file is needed")
    unknown = sorted(map(str, set(entry) - {*KNOWN, "image_id", "category_id"}))
    if box is None and not points and unknown:
        # Otherwise a misspelled column would mean a prompt on the whole photo.
        raise InputError(f"neither box nor points, but unknown {', '.join(map(repr, unknown))}; known are {', '.join(KNOWN)}")
    marks = points_of([] if points is None else points)
    names = checked_id(entry.get("id")), checked_label(entry.get("label")), checked_score(entry.get("score"))
    return photo, PromptRow(None if box is None else box_of(box), marks, *names, checked_id(entry.get("category_id")), where)


def box_of(box: Any) -> tuple[float, ...]:
    """A box of JSON; ValueError where it is none."""
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        raise InputError(f"box {box!r}: x0, y0, x1, y1 in pixels are needed")
    if not (box[0] < box[2] and box[1] < box[3]):
        raise InputError(f"box {box!r} is empty: x0 < x1 and y0 < y1 are needed")
    return tuple(map(float, box))


def points_of(points: Any) -> tuple[tuple[float, float, int], ...]:
    """Points of JSON, with their labels; ValueError where they are none."""
    if not isinstance(points, list):
        raise InputError(f"points {points!r}: a list of [x, y, label] is needed")
    checked = []
    for point in points:
        if not isinstance(point, list) or len(point) not in (2, 3) or not all(map(is_number, point)):
            raise InputError(f"point {point!r}: x, y in pixels and perhaps a label are needed")
        if len(point) == 3 and point[2] not in (0, 1):
            raise InputError(f"point {point!r}: the label is 1 (inside the object) or 0 (outside)")
        checked.append((float(point[0]), float(point[1]), int(point[2]) if len(point) == 3 else 1))
    return tuple(checked)


def checked_id(value: Any) -> int | str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str, type(None))):
        raise InputError(f"id {value!r}: a whole number or a text is needed")
    return value


def checked_label(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # the number of a class
    if not isinstance(value, (str, type(None))):
        raise InputError(f"label {value!r}: a text is needed")
    return value or None


def checked_score(value: Any) -> float | None:
    if value is not None and not is_number(value):
        raise InputError(f"score {value!r}: a number is needed")
    return None if value is None else float(value)
