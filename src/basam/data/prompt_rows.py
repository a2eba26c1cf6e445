"""Prompts of many photos from a file: JSON lines, CSV, or detections as COCO writes them; one prompt a row.

    {"photo": "a.jpg", "id": "7", "box": [x0, y0, x1, y1], "points": [[x, y, label], ...], "category": "cat"}

Only `photo` is needed; a row with neither box nor points means the whole photo. A CSV has the columns `photo`, and where
they are known `id`, `category`, `x0`, `y0`, `x1`, `y1` (a box), `x`, `y`, `label` (a point). All coordinates are pixels of the
photo. A row that cannot be used is named, the others count.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.data.issues import DatasetError
from basam.errors import InputError, MissingFileError

BOX, POINT = ("x0", "y0", "x1", "y1"), ("x", "y")


@dataclass(frozen=True)
class PromptRow:
    """One prompt on one photo.

    Attributes:
        box: x0, y0, x1, y1 in pixels; points: x, y, label (1 inside the object, 0 outside). Neither: the whole photo.
        id, category: as the user named them; None: not named.
        where: file and row, for messages; empty: from the command line.
    """

    box: tuple[float, ...] | None = None
    points: tuple[tuple[float, float, float], ...] = ()
    id: str | None = None
    category: str | None = None
    where: str = field(default="", compare=False)

    def told(self) -> dict[str, Any]:
        """What is known of the prompt, for JSON."""
        values = {"id": self.id, "category": self.category, "box": self.box, "points": self.points}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value}


@dataclass(frozen=True)
class PromptFile:
    """Prompts by photo, in the order of the file, and the rows that cannot be used, each with its place and the reason."""

    prompts: dict[Path, list[PromptRow]]
    faults: list[str]


def read_prompts(path: Path, *, root: Path | None = None, images_json: Path | None = None) -> PromptFile:
    """The prompts of a file, whose kind its content tells.

    Args:
        root: the folder that names of photos are relative to. None: that of the file.
        images_json: for COCO detections: the file whose list `images` names the photos.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: it is of none of the kinds, no row can be used, or `images_json` is missing or not wanted.
    """
    text = text_of(path)
    root = path.parent if root is None else root
    prompts: dict[Path, list[PromptRow]] = {}
    faults = []
    for where, entry in rows_of(path, text, images_json):
        try:
            name, row = checked(entry, f"{path}, {where}")
        except InputError as error:
            faults.append(f"{path}, {where}: {error}")
            continue
        prompts.setdefault(root / name, []).append(row)
    if not prompts:
        first = f"; the first: {faults[0]}" if faults else ""
        raise DatasetError(f"{path}: no row of it can be used{first}")
    return PromptFile(prompts, faults)


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text: {error}") from error


def rows_of(path: Path, text: str, images_json: Path | None) -> Iterator[tuple[str, Any]]:
    """Place and content of every row."""
    begin = text.lstrip()[:1]
    if begin == "[":
        yield from detections(path, text, images_json)
        return
    if images_json is not None:
        raise InputError(f"{path}: is no list of COCO detections, the only kind that takes --images-json")
    if begin == "{":
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield f"line {number}", InputError(f"no JSON: {error}")
        return
    reader = csv.DictReader(io.StringIO(text))
    if "photo" not in (reader.fieldnames or ()):
        raise DatasetError(f"{path}: neither JSON lines nor COCO detections, nor a CSV whose first line names a column 'photo'")
    for each in reader:
        yield f"line {reader.line_num}", of_csv(each)


def of_csv(row: dict[Any, Any]) -> Any:
    """A row of a CSV as one of JSON lines."""
    if None in row:
        return InputError(f"more values than columns: {row[None]}")
    given = {name: value.strip() for name, value in row.items() if value is not None and value.strip()}
    found: dict[str, Any] = {name: given[name] for name in ("photo", "id", "category") if name in given}
    for columns, name in ((BOX, "box"), (POINT, "points")):
        values = [given.get(column) for column in columns]
        if any(value is not None for value in values):
            missing = [column for column, value in zip(columns, values, strict=True) if value is None]
            if missing:
                return InputError(f"no value for {', '.join(missing)}")
            try:
                numbers = [float(str(value)) for value in values]
                label = float(given.get("label", "1"))
            except ValueError:
                return InputError(f"{', '.join(map(str, values))}: numbers are needed")
            found[name] = numbers if name == "box" else [[*numbers, label]]
    return found


def detections(path: Path, text: str, images_json: Path | None) -> Iterator[tuple[str, Any]]:
    """Detections of COCO, `[{"image_id": 1, "category_id": 3, "bbox": [x, y, width, height], "score": 0.9}, ...]`."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot be read as JSON: {error}") from error
    if images_json is None:
        raise InputError(f"{path}: COCO detections name images by number; --images-json FILE has their names")
    try:
        listed = json.loads(text_of(images_json))
        names = {str(image["id"]): image["file_name"] for image in listed["images"]}
        categories = {str(each["id"]): str(each["name"]) for each in listed.get("categories", ())}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{images_json}: no list 'images' with 'id' and 'file_name'") from error
    for index, entry in enumerate(entries):
        where = f"entry {index}"
        bbox = entry.get("bbox") if isinstance(entry, dict) else None
        number = str(entry.get("image_id")) if isinstance(entry, dict) else None
        if number not in names:
            yield where, InputError(f"image_id {number} is not in {images_json}")
        elif not isinstance(bbox, list) or len(bbox) != 4 or not all(map(is_number, bbox)):
            yield where, InputError(f"bbox {bbox!r}: x, y, width and height in pixels are needed")
        else:
            category = entry.get("category_id")
            yield (
                where,
                {
                    "photo": names[number],
                    "id": entry.get("id", index),
                    "box": [bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3]],
                    "category": None if category is None else categories.get(str(category), str(category)),
                },
            )


def checked(entry: Any, where: str) -> tuple[str, PromptRow]:
    """Name of the photo and prompt of a row.

    Raises:
        ValueError: what is wrong with it.
    """
    if isinstance(entry, InputError):
        raise entry
    if not isinstance(entry, dict):
        raise InputError(f"{str(entry)[:40]!r}: an object with 'photo' is needed")
    unknown = sorted(set(entry) - {"photo", "id", "category", "box", "points"})
    if unknown:
        raise InputError(f"unknown {', '.join(map(repr, unknown))}: photo, id, category, box and points are known")
    photo, box, points = entry.get("photo"), entry.get("box"), entry.get("points") or ()
    if not isinstance(photo, str) or not photo.strip():
        raise InputError(f"photo {photo!r}: the name of a file is needed")
    if box is not None and (not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box))):
        raise InputError(f"box {box!r}: x0, y0, x1, y1 in pixels are needed")
    if box is not None and not (box[0] < box[2] and box[1] < box[3]):
        raise InputError(f"box {box!r} is empty: x0 < x1 and y0 < y1 are needed")
    names = {name: None if entry.get(name) is None else str(entry[name]) for name in ("id", "category")}
    marks = tuple(checked_points(points))
    return photo, PromptRow(None if box is None else tuple(map(float, box)), marks, where=where, **names)


def checked_points(points: Any) -> Iterable[tuple[float, float, float]]:
    for point in points if isinstance(points, (list, tuple)) else (points,):
        if not isinstance(point, list) or len(point) not in (2, 3) or not all(map(is_number, point)):
            raise InputError(f"point {point!r}: x, y in pixels and perhaps a label are needed")
        if len(point) == 3 and point[2] not in (0, 1):
            raise InputError(f"point {point!r}: the label is 1 (inside the object) or 0 (outside)")
        yield float(point[0]), float(point[1]), int(point[2]) if len(point) == 3 else 1


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
