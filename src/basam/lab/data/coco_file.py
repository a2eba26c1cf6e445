"""COCO's `instances_*.json`: read and validated without decoding masks.

Faults of the whole file (lists, ids) are errors. Faults of one annotation are issues that name it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from basam.checks import is_number, is_whole, path_of
from basam.files import json_of
from basam.lab.data.issues import DatasetError, Issue, Issues

Annotation = dict[str, Any]
NEEDED = ("id", "image_id", "category_id", "segmentation")


def load_annotations(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON of an `instances_*.json`, its three lists and all ids checked.

    Entries of `annotations` are only checked for their ids; see `usable_annotations`.

    Raises:
        DatasetError: naming what is wrong: no JSON, a list or a key that is missing, an id that is no whole number or is given
            twice.
    """
    path = path_of(path)
    data = json_of(path, DatasetError)
    _check_lists(data, str(path))
    for name, key in (("images", "id"), ("categories", "id"), ("annotations", "id")):
        _check_ids(data[name], name, key, path, once=True)
    for key in ("image_id", "category_id"):
        _check_ids(data["annotations"], "annotations", key, path, once=False)
    return data


def _check_lists(data: Any, source: str) -> None:
    needed = {"images": ("id", "file_name"), "annotations": (), "categories": ("id", "name")}
    for name, keys in needed.items():
        entries = data.get(name) if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise DatasetError(f"{source}: no instance annotations of COCO: the list {name!r} is missing")
        for index, entry in enumerate(entries) if keys else ():
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise DatasetError(f"{source}: {name}[{index}] has no {', '.join(map(repr, missing))}")


def _check_ids(entries: list[Any], name: str, key: str, path: Path, *, once: bool) -> None:
    values = [entry.get(key) for entry in entries if isinstance(entry, dict)]
    if len(values) == len(entries) and set(map(type, values)) <= {int} and (not once or len(set(values)) == len(values)):
        return  # as it nearly always is; the file may hold a million
    seen: dict[int, int] = {}
    for index, entry in enumerate(entries):
        value = entry.get(key) if isinstance(entry, dict) else None
        if value is None and name == "annotations":
            continue  # one malformed annotation
        if not is_whole(value):
            raise DatasetError(
                f"{path}: {name}[{index}] has the {key} {value!r}: ids must be whole numbers, of one kind throughout"
            )
        if once and seen.setdefault(value, index) != index:
            raise DatasetError(f"{path}: {name}[{seen[value]}] and {name}[{index}] have the same {key} {value}")


def usable_annotations(
    data: dict[str, Any], source: str, crowds_are_objects: bool = False
) -> tuple[dict[int, list[Annotation]], list[Annotation], Issues]:
    """Annotations of every image in the order of their ids, crowds apart, and what was left out; nothing is decoded.

    With `crowds_are_objects`, annotations with `iscrowd` 1 are among those of the image, as CVAT exports masks.

    Raises:
        DatasetError: a list or a key that is missing, as of `load_annotations`.
    """
    _check_lists(data, source)
    faults = {image["id"]: fault_of(image) for image in data["images"]}
    categories = {category["id"] for category in data["categories"]}
    of_image: dict[int, list[Annotation]] = defaultdict(list)
    crowds, issues = [], Issues()
    for index, annotation in enumerate(data["annotations"]):
        fault = _fault_of_annotation(annotation, categories)
        if fault is None and annotation["image_id"] not in faults:
            detail = f"image {annotation['image_id']} is not in the file"
            issues.add(Issue("no-image", where_of(source, annotation, index), detail))
            continue
        fault = fault or faults[annotation["image_id"]]
        if fault:
            issues.add(Issue("bad-annotation", where_of(source, annotation, index), fault))
        elif not crowds_are_objects and is_crowd(annotation):
            issues.add(Issue("crowd", where_of(source, annotation, index)))
            crowds.append(annotation)
        else:
            of_image[annotation["image_id"]].append(annotation)
    for of_one in of_image.values():
        of_one.sort(key=lambda annotation: annotation["id"])
    return of_image, crowds, issues


def _fault_of_annotation(annotation: Any, categories: set[int]) -> str | None:
    """Why an annotation cannot be used, without looking at its mask; None: it can."""
    if not isinstance(annotation, dict):
        return f"it is {str(annotation)[:40]!r}"
    if None in map(annotation.get, NEEDED):
        missing = [key for key in NEEDED if annotation.get(key) is None]
        return f"it has no {', '.join(missing)}"
    if annotation["category_id"] not in categories:
        return f"category {annotation['category_id']} is not in the file"
    if annotation.get("iscrowd") and is_crowd(annotation) is None:
        return f"iscrowd is {annotation['iscrowd']!r}"
    return None


def is_crowd(annotation: Annotation) -> bool | None:
    """Whether an annotation is a crowd, from a number or text; None: neither yes nor no."""
    value = annotation.get("iscrowd")
    if not value:
        return False
    text = str(value).strip().lower()
    return {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}.get(text)


def fault_of(image: dict[str, Any]) -> str | None:
    """Why an entry of `images` cannot be used: no name, or no size in pixels."""
    name = image.get("file_name")
    if not isinstance(name, str) or not name.strip():
        return f"its image has the file_name {name!r}"
    sides = {name: image.get(name) for name in ("height", "width")}
    wrong = [f"{name} {value!r}" for name, value in sides.items() if not _is_side(value)]
    return f"its image has the {' and '.join(wrong)}: whole numbers of pixels are needed" if wrong else None


def _is_side(value: Any) -> bool:
    return is_number(value) and 1 <= value < 1 << 31 and value == int(value)


def where_of(source: str, annotation: Any, index: int | None = None) -> str:
    """File, id and image of an annotation, and its place in the list where it has no id."""
    entry = annotation if isinstance(annotation, dict) else {}
    number = entry.get("id")
    name = f"annotation {number}" if number is not None else f"annotations[{index}]"
    return f"{source}, {name} of image {entry.get('image_id', '?')}"
