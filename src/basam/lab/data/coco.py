"""COCO's instance annotations: one sample per image, one instance per annotation; crowds are counted and left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from basam.files import IMAGE_SUFFIXES, MAX_PIXELS, is_litter, spelled
from basam.lab.data.base import Dataset, Instance, Loaded, Role, reported_name
from basam.lab.data.coco_file import load_annotations, usable_annotations, where_of
from basam.lab.data.issues import DatasetError, Issue, SampleError
from basam.lab.data.photos import check_sizes, open_photo
from basam.masks import decode_segmentation


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
        instances: list[Instance] = []
        issues: list[Issue] = []
        for annotation in self.annotations:
            try:
                instances.append(self._instance(annotation))
            except SampleError as error:
                issues.append(error.issue)
            else:
                issues += few_point_issues(annotation, self.source)
        if not instances:
            whole = Issue(issues[0].problem, str(self.image_path), f"in all of its {len(issues)} annotations")
            raise SampleError(whole, tuple(issues))
        return Loaded(image, tuple(instances), (*odd, *issues))

    def _instance(self, annotation: dict[str, Any]) -> Instance:
        mask = annotation_mask(annotation, self.height, self.width, self.source)
        category = int(annotation["category_id"])
        return Instance(str(annotation["id"]), mask, self.categories[category], category)


def annotation_mask(annotation: dict[str, Any], height: int, width: int, source: str) -> np.ndarray:
    """Mask of an annotation, (height, width) bool with at least one pixel; SampleError where it has none."""
    where = where_of(source, annotation)
    try:
        mask = decode_segmentation(annotation["segmentation"], height, width)
    except (ValueError, TypeError, KeyError) as error:
        raise SampleError(Issue("bad-annotation", where, str(error))) from error
    if not mask.any():
        raise SampleError(Issue("empty-mask", where))
    return mask


def few_point_issues(annotation: dict[str, Any], source: str) -> list[Issue]:
    """A note for an annotation of which polygons were left out alone."""
    polygons = annotation["segmentation"]
    few = sum(len(polygon) < 6 for polygon in polygons) if isinstance(polygons, list) else 0
    return [Issue("few-points", where_of(source, annotation), f"{few} of {len(polygons)} polygons")] if few else []


@dataclass(frozen=True)
class CocoSplit:
    """One split: its JSON, what it is for, and the folders that may hold its images, the first one that exists."""

    name: str
    annotations: Path
    role: Role
    folders: tuple[Path, ...]


ROBOFLOW = "_annotations.coco.json"


def coco_splits(root: Path) -> dict[str, CocoSplit]:
    """Splits by name: COCO's own, with an `instances_*.json` in `root/annotations` or `root`; else those of Roboflow's
    export, folders that hold images and `_annotations.coco.json`. `root` may be such a folder itself.
    """
    splits: dict[str, CocoSplit] = {}
    for path in (*sorted((root / "annotations").glob("instances_*.json")), *sorted(root.glob("instances_*.json"))):
        name = path.stem.removeprefix("instances_")
        folders = root / name, root / "images" / name, root / "images"
        splits.setdefault(name, CocoSplit(name, path, _role(name), folders))
    if not splits:
        for path in (*sorted(root.glob(f"*/{ROBOFLOW}")), *root.glob(ROBOFLOW)):
            name = path.absolute().parent.name
            role: Role = "val" if "val" in name.lower() else _role(name.lower())
            splits[name] = CocoSplit(name, path, role, (path.parent,))
    return splits


def read_coco(root: Path, split: CocoSplit, name: str | None = None, crowds_are_objects: bool = False) -> Dataset:
    """The images of a split that have at least one instance, in the order of their ids.

    `name`: see `reported_name`. `crowds_are_objects`: annotations with `iscrowd` 1 are instances like all others.

    Raises:
        DatasetError: the JSON is none of COCO's, there is no folder of images, or no instance in it.
    """
    path = split.annotations
    data = load_annotations(path)
    folder = next((folder for folder in split.folders if folder.is_dir()), None)
    if folder is None:
        raise DatasetError(f"{root}: no images of split {split.name}: expected one of {', '.join(map(str, split.folders))}")
    files = ImageFiles(root, folder)
    files.paths.pop(path.name if path.parent == folder else "", None)
    categories = {int(category["id"]): str(category["name"]) for category in data["categories"]}
    usable, _, issues = usable_annotations(data, path.name, crowds_are_objects)
    images = sorted(data["images"], key=lambda image: image["id"])
    paths = files.resolve([str(image["file_name"]) for image in images])
    samples = []
    for image, image_path in zip(images, paths, strict=True):
        annotations = usable.get(image["id"], [])
        if not annotations:
            issues.add(Issue("no-object", str(image_path or folder / str(image["file_name"]))))
        elif image_path is None:
            issues.add(Issue("no-image", str(folder / image["file_name"]), f"{len(annotations)} annotations"))
        else:
            size = int(image["height"]), int(image["width"])
            samples.append(CocoSample(str(image["id"]), image_path, *size, tuple(annotations), categories, path.name))
    issues.extend(files.unmentioned(paths, path.name))
    if not samples:
        raise DatasetError(f"{root}: no image of split {split.name} with an instance: {'; '.join(issues.lines())}")
    title = reported_name("COCO", root, name)
    return Dataset(
        "coco", title, "COCO", split.name, split.role, root, tuple(samples), issues, path, crowds_are_objects=crowds_are_objects
    )


class ImageFiles:
    """The files below a folder of images, by their paths in one spelling."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self.paths: dict[str, Path] = {}
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not is_litter(name))
            below = Path(place)
            prefix = "" if below == folder else below.relative_to(folder).as_posix() + "/"
            self.paths |= {spelled(prefix + name): below / name for name in names if not is_litter(name)}

    def resolve(self, names: Sequence[str]) -> list[Path | None]:
        """The file per `file_name`: below the folder of images, else below the root, else by its last part alone.

        The last part alone identifies the file only if exactly one `file_name` ends in it.
        """
        last = Counter(self._last(name) for name in set(names))
        return [self._one(name, last[self._last(name)] == 1) for name in names]

    def _one(self, name: str, alone: bool) -> Path | None:
        plain = spelled(name.replace("\\", "/"))
        if plain.startswith("./"):
            plain = plain[2:]
        if plain in self.paths:
            return self.paths[plain]
        for candidate in (self.root / name, self.root / plain):
            if "/" in plain and candidate.is_file():
                return candidate
        return self.paths.get(self._last(name)) if alone else None

    @staticmethod
    def _last(name: str) -> str:
        return spelled(name.replace("\\", "/").rpartition("/")[2])

    def unmentioned(self, used: Sequence[Path | None], source: str) -> list[Issue]:
        """Files in the folder itself, or beside images that are used, that are not in the annotations."""
        mentioned = set(used)
        folders = {self.folder} | {path.parent for path in used if path is not None}
        rest = sorted(path for path in self.paths.values() if path not in mentioned and path.parent in folders)
        return [
            Issue("no-mask", str(path), f"not in {source}")
            if path.suffix.lower() in IMAGE_SUFFIXES
            else Issue("other-file", str(path))
            for path in rest
        ]


def _role(name: str) -> Role:
    """Papers report on val: the annotations of COCO's own test split are not public."""
    if "train" in name:
        return "train"
    return "test" if "val" in name or "test" in name else "unknown"
