"""Parse files of prompts, one prompt per row: JSON lines, CSV, COCO boxes, sessions of `basam web`. Values are not checked
here.

    {"photo": "a.jpg", "id": 7, "box": [x0, y0, x1, y1], "points": [[x, y, label], ...], "label": "cat", "score": 0.9}

Only `photo` is needed; a row with neither box nor points means the whole photo. A CSV has the columns `photo` and any of
`id`, `x0`, `y0`, `x1`, `y1` (a box), `x`, `y`, `inside` (a point; 0: outside the object), `label`, `score`. All coordinates are
pixels of the photo.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basam.batch.sessions import SESSION_FORMAT, rows_of_state, session_rows
from basam.errors import InputError, MissingFileError, warn

BOX, POINT = ("x0", "y0", "x1", "y1"), ("x", "y")
KNOWN = ("photo", "id", "box", "points", "label", "score")
# Place of a row in its file, and its content; an error if it cannot be parsed.
Row = tuple[str, Any]


def rows_of(path: Path, images_json: Path | None, categories: list[dict[str, Any]]) -> Iterator[Row]:
    """Place and content of every row.

    Args:
        categories: the categories of a COCO file are appended.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: an unknown kind, or `images_json` is missing or does not belong to it.
    """
    if path.is_dir():
        if images_json is not None:
            raise InputError(f"{path}: a session of basam web names its photos itself: leave --images-json out")
        yield from session_rows(path)
        return
    text = text_of(path, tables=True)
    begin = text.lstrip()[:1]
    whole = json_of(path, text) if begin == "[" or (begin == "{" and not is_lines(text)) else None
    if isinstance(whole, dict) and isinstance(whole.get("annotations"), list):
        images = whole if images_json is None else json_of(images_json, text_of(images_json))
        source = CocoImages.of(images, images_json or path, categories)
        yield from boxes_of_coco(whole["annotations"], source)
    elif isinstance(whole, list) and any(isinstance(entry, dict) and "image_id" in entry for entry in whole):
        if images_json is None:
            raise InputError(
                f"{path}: COCO detections name images by number; give the file with their names as --images-json FILE"
            )
        yield from boxes_of_coco(whole, CocoImages.of(json_of(images_json, text_of(images_json)), images_json, categories))
    elif images_json is not None:
        raise InputError(f"{path}: not COCO boxes, the only kind that takes --images-json")
    elif isinstance(whole, dict) and whole.get("format") == SESSION_FORMAT:
        yield from rows_of_state(whole, path.parent)
    elif isinstance(whole, list):
        yield from ((f"entry {index}", entry) for index, entry in enumerate(whole))
    elif whole is not None:
        yield "line 1", whole
    elif begin == "{":
        yield from json_lines(text)
    else:
        yield from csv_lines(path, text)


def text_of(path: Path, *, tables: bool = False) -> str:
    """A file as text; with `tables` also one in Windows-1252, as Excel saves CSV."""
    try:
        data = path.read_bytes()
        # PowerShell writes UTF-16 to redirected files.
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if wide else "utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = ""
        if not tables or not text or text.lstrip()[:1] in ("{", "[") or "\0" in text:
            raise InputError(f"{path}: not text in UTF-8 or, for a CSV, Windows-1252: save it as UTF-8") from error
        warn(f"{path}: is not in UTF-8, and was read as Windows-1252")
        return text


def json_of(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error


def is_lines(text: str) -> bool:
    """Whether the first line is a JSON object by itself and more lines follow, or it is not JSON but later lines may be."""
    lines = [line for line in text.split("\n") if line.strip()]
    try:
        return isinstance(json.loads(lines[0]), dict) and len(lines) > 1
    except (ValueError, RecursionError):
        return any(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines)


def json_lines(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                yield f"line {number}", InputError(f"not JSON: {error}")


def csv_lines(path: Path, text: str) -> Iterator[Row]:
    head, _, rest = text.partition("\n")
    given = re.fullmatch(r"\"?sep=([,;\t])\"?", head.strip("\r "), re.IGNORECASE)  # a line that Excel adds
    if given:
        head, text = rest.split("\n", 1)[0], rest
    separator = given[1] if given else max(",;\t", key=head.count)  # spreadsheets use the locale's separator
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    first = 1 if given else 0
    try:
        reader.fieldnames = [str(name).strip().lower() for name in reader.fieldnames or ()]
        if "photo" not in reader.fieldnames:
            raise InputError(
                f"{path}: neither JSON lines, nor COCO boxes, nor a CSV whose first line names a column 'photo' and any of "
                f"{', '.join(('id', *BOX, *POINT, 'inside', 'label', 'score'))}; it names {', '.join(reader.fieldnames)[:80]!r}"
            )
        for row in reader:
            if any(value and str(value).strip() for value in row.values()):  # skip rows of separators only
                yield f"line {reader.line_num + first}", of_csv(row, "." if separator == "," else ",")
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read as CSV: line {reader.line_num + first}: {error}") from error


def of_csv(row: dict[Any, Any], point: str) -> Any:
    """A row of a CSV in the form of a JSON line; `point`: an alternative decimal point."""

    def number(text: str) -> float:
        return float(text.replace(point, "."))

    if None in row:
        return InputError(f"more values than columns: {row[None]}")
    given = {name: value.strip() for name, value in row.items() if value is not None and value.strip()}
    values: dict[str, Any] = {name: value for name, value in given.items() if name not in (*BOX, *POINT, "inside")}
    # pandas writes whole numbers as 7.0 if the column has gaps.
    if whole := re.fullmatch(rf"(-?[0-9]+)(?:[.{point}]0+)?", values.get("id", "")):
        values["id"] = int(whole[1])
    try:
        if "score" in values:
            values["score"] = number(values["score"])
        for columns, name in ((BOX, "box"), (POINT, "points")):
            missing = [column for column in columns if column not in given]
            if len(missing) == len(columns):
                continue
            if missing:
                return InputError(f"no value for {', '.join(missing)}")
            numbers = [number(given[column]) for column in columns]
            values[name] = numbers if name == "box" else [[*numbers, number(given.get("inside", "1"))]]
    except ValueError as error:
        return InputError(f"{str(error).partition(': ')[2]}: a number is needed")
    return values


@dataclass(frozen=True)
class CocoImages:
    """Images and categories of a COCO file by their ids as text."""

    source: Path
    images: dict[str, dict[str, Any]]
    categories: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, values: Any, source: Path, categories: list[dict[str, Any]]) -> CocoImages:
        """From the content of a file; its categories are also appended to `categories`.

        Raises:
            ValueError: the lists are missing.
        """
        try:
            own = {str(one["id"]): {**one, "name": str(one["name"])} for one in values.get("categories", ())}
            images = {str(image["id"]): {"name": image["file_name"], "id": image["id"]} for image in values["images"]}
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{source}: no list 'images' with 'id' and 'file_name'") from error
        categories += [one for one in own.values() if isinstance(one["id"], (int, str))]
        return cls(source, images, own)


def boxes_of_coco(entries: list[Any], source: CocoImages) -> Iterator[Row]:
    """Rows from `[{"image_id": 1, "category_id": 3, "bbox": [x, y, width, height], "score": 0.9}, ...]`."""
    for index, entry in enumerate(entries):
        where = f"entry {index}"
        if not isinstance(entry, dict):
            yield where, InputError(f"{str(entry)[:40]!r}: an object with 'image_id' and 'bbox' is needed")
            continue
        number, bbox, category = str(entry.get("image_id")), entry.get("bbox"), entry.get("category_id")
        if number not in source.images:
            yield where, InputError(f"image_id {number} is not in {source.source}")
            continue
        try:
            x, y, width, height = (float(value) for value in bbox or ())
        except (TypeError, ValueError):
            yield where, InputError(f"bbox {bbox!r}: x, y, width and height in pixels are needed")
            continue
        image, known = source.images[number], source.categories.get(str(category))
        row = {"photo": image["name"], "image_id": image["id"], "id": entry.get("id"), "box": [x, y, x + width, y + height]}
        row |= {"score": entry.get("score"), "category_id": category if known is None else known["id"]}
        yield where, {**row, "label": known["name"] if known else None if category is None else str(category)}
