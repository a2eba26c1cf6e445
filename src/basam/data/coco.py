"""COCO's instance annotations: one sample per image, one instance per annotation; crowds are counted and left out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from basam.data.base import Dataset, Instance, Loaded, Role, reported_name
from basam.data.decode import check_sizes
from basam.data.issues import DatasetError, Issue, Issues, SampleError
from basam.data.photos import open_photo
from basam.data.rle import decode_segmentation
from basam.files import MAX_PIXELS


@dataclass(frozen=True, eq=False)
class CocoSample:
    """An image and its annotations as the JSON has them, decoded by `load`."""

    id: str
    image_path: Path
    height: int
    width: int
    annotations: tuple[dict[str, Any], ...]
    categories: Mapping[int, str]
    source: str  # name of the JSON file, for issues
    max_pixels: int | None = MAX_PIXELS

    def image(self) -> Image.Image:
        """The image alone, upright."""
        return open_photo(self.image_path, self.max_pixels)[0]

    def load(self) -> Loaded:
        """Image and instances; raises SampleError where the image cannot be read or no instance is left."""
        image, odd = open_photo(self.image_path, self.max_pixels)
        check_sizes(image, self.height, self.width, self.image_path, "annotations")
        instances, issues = [], []
        for annotation in self.annotations:
            try:
                instances.append(self._instance(annotation))
            except SampleError as error:
                issues.append(error.issue)
        if not instances:
            raise SampleError(Issue(issues[0].problem, str(self.image_path), f"in each of its {len(issues)} annotations"))
        return Loaded(image, tuple(instances), (*odd, *issues))

    def _instance(self, annotation: dict[str, Any]) -> Instance:
        mask = annotation_mask(annotation, self.height, self.width, self.source)
        category = int(annotation["category_id"])
        return Instance(str(annotation["id"]), mask, self.categories[category], category)


def annotation_mask(annotation: dict[str, Any], height: int, width: int, source: str) -> np.ndarray:
    """Mask of an annotation, (height, width) bool with at least one pixel; SampleError where it has none."""
    where = _where(source, annotation)
    try:
        mask = decode_segmentation(annotation["segmentation"], height, width)
    except (ValueError, TypeError, KeyError) as error:
        raise SampleError(Issue("bad-annotation", where, str(error))) from error
    if not mask.any():
        raise SampleError(Issue("empty-mask", where))
    return mask


def coco_splits(root: Path) -> dict[str, Role]:
    """Splits with an `instances_*.json` in `root/annotations` or `root`, and what each is for."""
    files = [*sorted((root / "annotations").glob("instances_*.json")), *sorted(root.glob("instances_*.json"))]
    return {path.stem.removeprefix("instances_"): _role(path.stem) for path in files}


def read_coco(root: Path, split: str, name: str | None = None) -> Dataset:
    """The images of `split` that have at least one instance, in the order of their ids.

    `name`: see `reported_name`. Images are looked for in `root/split`, `root/images/split` and `root/images`.

    Raises:
        DatasetError: the JSON is none of COCO's, there is no folder of images, or no instance in it.
    """
    path = next(
        file for file in (root / "annotations" / f"instances_{split}.json", root / f"instances_{split}.json") if file.is_file()
    )
    data = load_annotations(path)
    folders = [root / split, root / "images" / split, root / "images"]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        raise DatasetError(f"{root}: no images of split {split}: expected one of {', '.join(map(str, folders))}")
    present = {entry.name for entry in folder.iterdir()}
    categories = {int(category["id"]): str(category["name"]) for category in data["categories"]}
    usable, _, issues = usable_annotations(data, path.name)
    samples = []
    for image in sorted(data["images"], key=lambda image: image["id"]):
        file_name, found = image["file_name"], usable.get(image["id"], [])
        if not found:
            issues.add(Issue("no-object", str(folder / file_name)))
        elif Path(file_name).name not in present:
            issues.add(Issue("no-image", str(folder / file_name), f"{len(found)} annotations"))
        else:
            size = int(image["height"]), int(image["width"])
            image_path = folder / Path(file_name).name
            samples.append(CocoSample(str(image["id"]), image_path, *size, tuple(found), categories, path.name))
    annotated = {Path(image["file_name"]).name for image in data["images"]}
    issues.extend(Issue("no-mask", str(folder / missing), f"not in {path.name}") for missing in sorted(present - annotated))
    if not samples:
        raise DatasetError(f"{root}: no image of split {split} with an instance: {'; '.join(issues.lines())}")
    title = reported_name("COCO", root, name)
    return Dataset("coco", title, "COCO", split, _role(split), root, tuple(samples), issues, path)


def load_annotations(path: Path) -> dict[str, Any]:
    """The JSON of an `instances_*.json`, checked for its three lists; raises DatasetError naming what is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as JSON: {error}") from error
    needed = {"images": ("id", "file_name", "height", "width"), "annotations": ("image_id",), "categories": ("id", "name")}
    for name, keys in needed.items():
        entries = data.get(name) if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise DatasetError(f"{path}: no instance annotations of COCO: the list {name!r} is missing")
        for index, entry in enumerate(entries):
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise DatasetError(f"{path}: {name}[{index}] has no {', '.join(map(repr, missing))}")
    return data


def usable_annotations(
    data: dict[str, Any], source: str
) -> tuple[dict[Any, list[dict[str, Any]]], list[dict[str, Any]], Issues]:
    """Annotations of every image in the order of their ids, crowds apart, and what was left out; nothing is decoded."""
    images = {image["id"] for image in data["images"]}
    categories = {category["id"] for category in data["categories"]}
    seen: set[Any] = set()
    of_image, crowds, issues = defaultdict(list), [], Issues()
    for annotation in data["annotations"]:
        where = _where(source, annotation)
        missing = [key for key in ("id", "image_id", "category_id", "segmentation") if key not in annotation]
        if missing:
            issues.add(Issue("bad-annotation", where, f"it has no {', '.join(missing)}"))
        elif annotation["image_id"] not in images:
            issues.add(Issue("no-image", where, f"image {annotation['image_id']} is not in the file"))
        elif annotation["category_id"] not in categories:
            issues.add(Issue("bad-annotation", where, f"category {annotation['category_id']} is not in the file"))
        elif annotation["id"] in seen:
            issues.add(Issue("ambiguous", where, "its id occurs before"))
        elif annotation.get("iscrowd"):
            issues.add(Issue("crowd", where))
            crowds.append(annotation)
        else:
            seen.add(annotation["id"])
            of_image[annotation["image_id"]].append(annotation)
    for found in of_image.values():
        found.sort(key=lambda annotation: annotation["id"])
    return of_image, crowds, issues


def _where(source: str, annotation: dict[str, Any]) -> str:
    return f"{source}, annotation {annotation.get('id', '?')} of image {annotation.get('image_id', '?')}"


def _role(name: str) -> Role:
    """Papers report on val: the annotations of COCO's own test split are not public."""
    if "train" in name:
        return "train"
    return "test" if "val" in name or "test" in name else "unknown"
