"""Exports of the page: the files that `--write` names, and prompts, of one photo or of several."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from basam.batch import Records, object_label
from basam.batch.writers import KINDS, RecordedRun, add_image, check_kinds, check_size, files_of, write_coco
from basam.errors import InputError
from basam.files import append_json
from basam.masks import TOLERANCE, MaskResult, PhotoResults, SoftMask
from basam.web.library import LibraryPhoto
from basam.web.session import SegmentedObject

# Labels of the kinds on the page, in the order of its menu.
WRITERS = {
    "cutout": "Cut-out",
    "mask": "Mask",
    "overlay": "Overlay",
    "labels": "Label map",
    "coco": "COCO",
    "labelme": "labelme",
    "geojson": "GeoJSON",
    "svg": "SVG",
    "csv": "Table (CSV)",
    "prompts": "Prompts",
}
# Kinds with one file per object; kinds that contain pixels of the photo.
OF_OBJECTS, OF_PIXELS = {"mask", "cutout"}, {"overlay", "cutout"}
MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".csv": "text/csv",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".jsonl": "application/jsonl",
    ".zip": "application/zip",
}


@dataclass(frozen=True, eq=False)
class ExportedPhoto:
    """A photo to export.

    Attributes:
        pixels: reads it, `(H, W, 3)`.
        objects: those with a mask.
        soft_edge: returns an object's soft edge; None: unknown.
        number: of the object, if only one of several is exported; 0: all are.
    """

    photo: LibraryPhoto
    pixels: Callable[[], NDArray[np.uint8]]
    objects: Sequence[SegmentedObject]
    soft_edge: Callable[[SegmentedObject], SoftMask | None]
    number: int = 0

    def results(self, kind: str, place: Path) -> PhotoResults:
        """Results for the writers of `--write`; `place` stands for the photo's path."""
        masks = [
            MaskResult(
                one.runs(self.photo),
                one.score or 0.0,
                one.key,
                object_label(one.name),
                point=(one.points[0][0], one.points[0][1]) if len(one.points) == 1 else None,
                soft=self.soft_edge(one) if kind == "cutout" else None,
            )
            for one in self.objects
        ]
        pixels = self.pixels() if kind in OF_PIXELS else np.zeros((0, 0, 3), dtype=np.uint8)
        return PhotoResults(place, (self.photo.height, self.photo.width), pixels, masks, TOLERANCE)

    def prompts(self, name: str) -> Iterator[dict[str, object]]:
        """Rows that `basam segment --prompts-from` reads; `name` stands for the photo."""
        for one in self.objects:
            row = {"photo": name, "id": one.key, "label": object_label(one.name), "points": one.points, "box": one.box}
            yield {key: value for key, value in row.items() if value}


@dataclass(frozen=True)
class Export:
    """A file to download: name, media type, path, and photos that are missing in it, one line per photo."""

    name: str
    media: str
    path: Path
    left_out: list[str]


def export_photos(kind: str, photos: Iterable[ExportedPhoto], folder: Path, left_out: list[str]) -> Export:
    """Write one file, or several in a ZIP; exports refer to photos by file name, without a directory.

    Args:
        folder: an empty one that the files are written to.
        left_out: photos that are missing in it, one line per photo; it grows while `photos` is read.

    Raises:
        ValueError: an unknown kind, no object to export, or a photo that is too large for the format.
        ImportError: a library is missing; the message names the extra.
    """
    if kind not in WRITERS:
        raise InputError(f"kind {kind!r}: allowed are {', '.join(WRITERS)}")
    if kind in KINDS:
        check_kinds([kind])
    folder = folder.resolve()
    stems: set[str] = set()
    names: set[str] = set()
    paths: list[Path] = []
    for taken in photos:
        stem = free_name(stems, taken.photo, Path(taken.photo.name).stem)
        name = free_name(names, taken.photo, taken.photo.name)
        check_size([kind], taken.photo.height, taken.photo.width)
        if kind == "prompts":
            paths = [folder / "prompts.jsonl"]
            for row in taken.prompts(name):
                append_json(paths[0], row)
            continue
        results = taken.results(kind, Path(name) if kind == "csv" else folder / name)
        if kind == "coco":
            add_image(Records(folder), name, results, len(names))
            continue
        for index, (file, write) in enumerate(files_of([kind], stem, results).items()):
            paths.append(folder / (name_of(stem, kind, taken, index) if kind in OF_OBJECTS else file))
            write(paths[-1])
    if kind == "coco" and names:
        paths = [folder / "coco.json"]
        write_coco(paths[0], RecordedRun.of_folders([folder]))
    if not paths:
        raise InputError("; ".join(left_out) or "there is no object to save yet: set a point or draw a box first")
    path = paths[0] if len(paths) == 1 else zipped(folder / f"basam_{kind}.zip", paths)
    return Export(path.name, MEDIA[path.suffix], path, left_out)


def free_name(taken: set[str], photo: LibraryPhoto, name: str) -> str:
    """`name`, made unique among photos with the same name."""
    for wanted in (name, f"{photo.path.parent.name}_{photo.name}", f"{photo.key}_{photo.name}"):
        if wanted not in taken:
            break
    taken.add(wanted)
    return wanted


def name_of(stem: str, kind: str, taken: ExportedPhoto, index: int) -> str:
    """The file of one object: with its number if the photo has several, and with its label if it has one."""
    label = re.sub(r"[^\w-]+", "_", object_label(taken.objects[index].name) or "").strip("_")
    number = str(index + 1) if len(taken.objects) > 1 else str(taken.number or "")
    return "_".join(filter(None, (stem, number, label, kind))) + ".png"


def zipped(path: Path, files: Sequence[Path]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in files:
            archive.write(file, file.name)
            file.unlink()
    return path
