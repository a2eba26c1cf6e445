"""Masks in the records of runs, and the images, categories and ids of files of a whole run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from basam.batch.records import Records, id_of_category
from basam.batch.writers.polygons import coco_polygons
from basam.errors import MissingFileError
from basam.masks import UNNAMED, MaskResult, PhotoResults, measured

# Largest id that programs with 64-bit floats tell apart.
MOST_ID = 2**53 - 1
# Annotation k of image i has the id i times this plus k, unless its prompt has one.
MOST_OF_AN_IMAGE = 1_000_000


def add_image(records: Records, name: str, results: PhotoResults, image_id: int) -> None:
    """Record the masks of a photo that no run segmented, such as those of the page."""
    line = {"photo": name, "name": name, "stem": name, "key": "", "files": [], "rows": [], "image_id": image_id}
    records.append({**line, **recorded_masks(results)})


def recorded_masks(results: PhotoResults, *, polygons: bool = False) -> dict[str, Any]:
    """A photo's masks as recorded: everything that files of the whole run need."""
    return {"size": list(results.size), "masks": [recorded_mask(one, results, polygons) for one in results.masks]}


def recorded_mask(one: MaskResult, results: PhotoResults, polygons: bool) -> dict[str, Any]:
    return {
        **({"polygons": coco_polygons(one.runs, results.tolerance)} if polygons else {}),
        "id": one.id,
        "own_id": one.named,
        "label": one.label,
        "category_id": one.category_id,
        "score": one.score,
        "predicted_iou": one.predicted_iou,
        "stability": one.stability,
        "point": one.point,
        "rle": one.runs.coco(),
        **measured(one.runs, results.pixels),
    }


class RecordedImage(NamedTuple):
    """A photo with masks: its id, and the place of its line."""

    image_id: int | str
    records: Records
    photo: str

    def line(self) -> dict[str, Any]:
        return self.records.line_of(self.photo)


class RecordedRun:
    """The photos with masks in one or several folders of results, in the order of their ids.

    A photo that is in several folders has the masks of the last one. Ids of a user's COCO file stay; if two images have the
    same id, the later one gets another.

    Attributes:
        categories: of COCO, by id.

    Raises:
        FileNotFoundError: a folder without masks in its records.
    """

    def __init__(self, folders: Sequence[Records]) -> None:
        images: dict[Path, RecordedImage] = {}
        own: dict[Path, bool] = {}
        for records in folders:
            for photo, written in records.last.items():
                if written.drawn:
                    path = records.path_of(photo)
                    images[path] = RecordedImage(0 if written.image_id is None else written.image_id, records, photo)
                    own[path] = written.own_id
        self.images = sorted(with_own_ids(images, own), key=lambda image: id_order(image.image_id))
        self.categories: dict[int | str, dict[str, Any]] = {}
        self.renamed = {records.file: self.take_categories(records) for records in folders}

    @classmethod
    def of_folders(cls, folders: Sequence[Path]) -> RecordedRun:
        runs = [Records(folder) for folder in folders]
        for records in runs:
            if not any(written.drawn for written in records.last.values()):
                raise MissingFileError(f"{records.file}: no masks in it; --write coco records them")
        return cls(runs)

    def take_categories(self, records: Records) -> dict[int | str, int | str]:
        """Add the categories of a folder; returns the ids that changed because another category has them."""
        changed = {}
        for identity, category in records.categories.items():
            mine = self.categories.get(identity)
            if mine is not None and mine["name"] != category["name"]:
                changed[identity] = self.category_named(category["name"])
            else:
                self.categories.setdefault(identity, category)
        return changed

    def category_named(self, name: str) -> int | str:
        """The id of a category, which is added if missing."""
        identity, is_new = id_of_category(self.categories, name)
        if is_new:
            self.categories[identity] = {"id": identity, "name": name}
        return identity

    def category_of(self, image: RecordedImage, mask: dict[str, Any]) -> int | str:
        identity = mask["category_id"]
        if identity is None:
            return self.category_named(mask["label"] or UNNAMED)
        identity = self.renamed[image.records.file].get(identity, identity)
        self.categories.setdefault(identity, {"id": identity, "name": mask["label"] or str(identity)})
        return identity

    def masks(self) -> Iterator[tuple[RecordedImage, dict[str, Any], int, dict[str, Any]]]:
        """Image, line, number from 1 in the image, and mask."""
        for image in self.images:
            line = image.line()
            for number, mask in enumerate(line["masks"], start=1):
                yield image, line, number, mask


def with_own_ids(images: dict[Path, RecordedImage], own: dict[Path, bool]) -> Iterator[RecordedImage]:
    """Images with unique ids; those of a user's file are assigned first."""
    taken: set[int | str] = set()
    doubled = []
    for path in sorted(images, key=lambda path: not own[path]):
        image = images[path]
        if image.image_id in taken:
            doubled.append(image)
        else:
            taken.add(image.image_id)
            yield image
    first = 1 + max((used for used in taken if isinstance(used, int)), default=0)
    yield from (image._replace(image_id=number) for number, image in enumerate(doubled, start=first))


def id_order(identity: int | str) -> tuple[bool, int, str]:
    return isinstance(identity, str), 0 if isinstance(identity, str) else identity, str(identity)


def annotation_id(image_id: int | str, number: int) -> int:
    """An id that depends only on the image and the mask's number there."""
    if isinstance(image_id, int) and 0 <= image_id < MOST_ID // MOST_OF_AN_IMAGE:
        return image_id * MOST_OF_AN_IMAGE + number
    return int(hashlib.sha256(f"{image_id}/{number}".encode()).hexdigest()[:13], 16)


def brings_id(mask: dict[str, Any]) -> bool:
    """Whether the prompt has an id that COCO allows."""
    return mask["own_id"] and isinstance(mask["id"], int) and 0 <= mask["id"] <= MOST_ID
