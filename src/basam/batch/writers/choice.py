"""The files of a photo, by kind: see `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from basam.batch.writers import pictures, polygons, tables
from basam.batch.writers.kinds import KINDS, RUN_FILES
from basam.checks import nearest
from basam.errors import InputError
from basam.files import require
from basam.masks import MaskResult, PhotoResults

# Sides of a JPEG: Pillow's limit, a little below the format's.
LONGEST_JPEG = 65_500
# Most pixels of an image whose runs pycocotools counts, in 32 bits.
MOST_COCO = 2**32 - 1
# Most objects that 16 bits number, beside 0 for the background.
MOST_IN_16_BITS = 65_535

Writer = Callable[[Path], None]
# Kinds of which a photo has one file: how its name ends, and what writes it.
WHOLE: dict[str, tuple[str, Callable[..., None]]] = {
    "overlay": ("_overlay.jpg", pictures.write_overlay),
    "labelme": ("_labelme.json", polygons.write_labelme),
    "labels": ("_labels.png", pictures.write_labels),
    "geojson": ("_polygons.geojson", polygons.write_geojson),
    "svg": ("_polygons.svg", polygons.write_svg),
    "csv": ("_objects.csv", tables.write_csv),
    "yolo": (".txt", polygons.write_yolo),
}


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Kinds in the order of `KINDS`, without duplicates; raises if a library is missing.

    Raises:
        ValueError: an unknown kind, or none.
        ImportError: a library is missing; the message names the extra.
    """
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind not in KINDS:
            raise InputError(f"--write {kind}: allowed are {', '.join(KINDS)}{nearest(kind, KINDS)}")
    if not kinds:
        raise InputError(f"--write: give at least one of {', '.join(KINDS)}")
    if set(kinds) & {"labelme", "geojson", "svg", "yolo", "coco-polygons"}:
        require("shapely", "outputs")
    return tuple(kind for kind in KINDS if kind in kinds)


def check_size(kinds: Sequence[str], height: int, width: int) -> None:
    """Raise before the work for a photo that is larger than a format can hold.

    Raises:
        ValueError: names the kind, the size and what is possible.
    """
    if "overlay" in kinds and max(height, width) > LONGEST_JPEG:
        raise InputError(
            f"--write overlay: a JPEG holds up to {LONGEST_JPEG} px along a side, the photo has {width} x {height}"
        )
    if set(kinds) & set(RUN_FILES) and height * width > MOST_COCO:
        wide = f"{width} x {height}"
        raise InputError(f"--write {', '.join(RUN_FILES)}: pycocotools counts up to {MOST_COCO} pixels, the photo has {wide}")


def names_of(
    kinds: Sequence[str],
    stem: str | Path,
    count: int,
    places: Sequence[int] | None = None,
    empty: Collection[int] = (),
) -> dict[str, list[str]]:
    """Names of a photo's files by kind, below the folder of results; a single mask has no number in its name.

    Args:
        count: of masks; with `places`, of prompts.
        places: indices of the masks' prompts.
        empty: indices of empty masks: they have no cut-out.
    """
    present = list(range(max(1, count)) if places is None else places)
    numbers = {place: "" if count < 2 else f"_{place}" for place in present}
    names = {kind: [f"{stem}{ending}"] for kind, (ending, _) in WHOLE.items()} | {
        "mask": [f"{stem}_mask{number}.png" for number in numbers.values()],
        "cutout": [f"{stem}_cutout{number}.png" for place, number in numbers.items() if count and place not in empty],
        "yolo": [f"labels/{stem}.txt"],  # where Ultralytics expects it
    }
    if count > MOST_IN_16_BITS:
        names["labels"] = [f"{stem}_labels.tif"]
    return {kind: names[kind] for kind in kinds if kind in names}


def files_of(
    kinds: Sequence[str], stem: str | Path, results: PhotoResults, class_of: Callable[[MaskResult], int] = lambda one: 0
) -> dict[str, Writer]:
    """A function per file of a photo, by its name below the folder of results, as `ResultFolder.write` takes them.

    A photo without masks has files, too: a black mask, empty tables and lists; but no cut-out.

    Args:
        class_of: number of a mask's class for YOLO.
    """
    writers: dict[str, Writer] = {}
    count = len(results.masks) if results.prompts is None else results.prompts
    places = list(range(len(results.masks))) if results.places is None else list(results.places)
    shown = [index for index, one in enumerate(results.masks) if one.runs.area]
    empty = {place for place, one in zip(places, results.masks, strict=True) if not one.runs.area}
    for kind, names in names_of(kinds, stem, count, places or None, empty).items():
        if kind in WHOLE:
            more = {"class_of": class_of} if kind == "yolo" else {}
            writers[names[0]] = partial(WHOLE[kind][1], results=results, **more)
            continue
        for index, name in enumerate(names):
            if kind == "cutout":
                writers[name] = partial(pictures.write_cutout, results=results, index=shown[index])
            else:
                writers[name] = partial(pictures.write_one_mask, results=results, index=index)
    return writers
