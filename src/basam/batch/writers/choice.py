"""Which files are written of a photo, by kind: `mask,overlay,cutout,coco,labelme,labels,geojson,svg,csv`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from basam.batch.writers import pictures, polygons, tables
from basam.batch.writers.kinds import KINDS
from basam.checks import Count, Whole, checked
from basam.errors import InputError
from basam.files import require, write_mask
from basam.masks import PhotoResults

# Of a JPEG's side: Pillow's, a little less than the format's.
LONGEST_JPEG = 65_500
# Pixels of an image whose runs COCO's own library counts, in 32 bits.
MOST_COCO = 2**32 - 1
# Objects that 16 bits tell apart beside what is none.
MOST_IN_16_BITS = 65_535

Writer = Callable[[Path], None]


@checked
def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Kinds in the order of `KINDS`, each once; the libraries that they need are there.

    Raises:
        ValueError: an unknown kind, or none.
        ImportError: a library is missing; the message names the extra.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"--write {kind}: allowed are {', '.join(KINDS)}")
    if not kinds:
        raise InputError(f"--write: give at least one of {', '.join(KINDS)}")
    if set(kinds) & {"labelme", "geojson", "svg"}:
        require("shapely", "outputs")
    return tuple(kind for kind in KINDS if kind in kinds)


@checked
def check_size(kinds: Sequence[str], height: Count, width: Count) -> None:
    """Refuse a photo that is larger than a format can hold, before the work.

    Raises:
        ValueError: naming the kind, the size and what would do.
    """
    if "overlay" in kinds and max(height, width) > LONGEST_JPEG:
        raise InputError(
            f"--write overlay: a JPEG holds up to {LONGEST_JPEG} px along a side, the photo has {width} x {height}"
        )
    if "coco" in kinds and height * width > MOST_COCO:
        raise InputError(f"--write coco: pycocotools counts up to {MOST_COCO} pixels, the photo has {width} x {height}")


@checked
def names_of(kinds: Sequence[str], stem: str | Path, count: Whole, places: Sequence[int] | None = None) -> dict[str, list[str]]:
    """Names of a photo's files by kind, below the folder of results; with one mask, or none, there is one file of it.

    `coco` is no file of a photo, see `CocoRun`.

    Args:
        count: of masks; with `places`, of those that were wanted.
        places: of the masks that there are among those.
    """
    numbers = [""] if count < 2 else [f"_{index}" for index in (range(count) if places is None else places)]
    endings = {
        "mask": [f"_mask{number}.png" for number in numbers],
        "overlay": ["_overlay.jpg"],
        "cutout": [f"_cutout{number}.png" for number in numbers],
        "labelme": ["_labelme.json"],
        "labels": ["_labels.png" if count <= MOST_IN_16_BITS else "_labels.tif"],
        "geojson": ["_polygons.geojson"],
        "svg": ["_polygons.svg"],
        "csv": ["_objects.csv"],
    }
    return {kind: [f"{stem}{ending}" for ending in endings[kind]] for kind in kinds if kind != "coco"}


def files_of(kinds: Sequence[str], stem: str | Path, results: PhotoResults) -> dict[str, Writer]:
    """What writes each file of a photo, by its name below the folder of results, as `ResultFolder.write` takes it.

    A photo without masks has its files, too: a black mask, tables and lists of nothing.
    """
    writers: dict[str, Writer] = {}
    whole: dict[str, Callable[..., None]] = {
        "overlay": pictures.write_overlay,
        "labelme": polygons.write_labelme,
        "labels": pictures.write_labels,
        "geojson": polygons.write_geojson,
        "svg": polygons.write_svg,
        "csv": tables.write_csv,
    }
    count = len(results.found) if results.prompts is None else results.prompts
    for kind, names in names_of(kinds, stem, count, results.places).items():
        if kind in whole:
            writers[names[0]] = partial(whole[kind], results=results)
            continue
        for index, name in enumerate(names):
            if kind == "cutout":
                writers[name] = partial(pictures.write_cutout, results=results, index=index)
            elif results.found:
                writers[name] = partial(_write_one_mask, results=results, index=index)
            else:
                writers[name] = partial(pictures.write_black, results=results)
    return writers


def _write_one_mask(path: Path, results: PhotoResults, index: int) -> None:
    write_mask(path, results.found[index].runs.mask())
