"""Write the masks of one or several runs as one COCO file, from their records.

Ids are stable. An image has the id of the user's COCO file, if there is one; otherwise its index in the run's list of photos,
so it does not depend on the order, the number of processes or interruptions. An annotation has its prompt's id if that is a
whole number that no other prompt has; otherwise it follows from its image and its number there. Categories are the user's, then
labels in the order of the prompts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from basam.batch.writers.recorded_masks import RecordedRun, annotation_id, brings_id
from basam.errors import OccupiedError
from basam.files import begins_with, write_text
from basam.masks import UNNAMED

# Added to an id until no prompt has it.
STEP = 10**12
INFO = {"description": "masks of basam"}
COCO_BEGINNING = json.dumps({"info": INFO})[:-1]


def merge_coco(folders: Sequence[Path], target: Path) -> int:
    """One COCO file of the masks in several folders of results, such as the shards of a run.

    Returns:
        number of images.

    Raises:
        FileNotFoundError: a folder without masks in its records.
        FileExistsError: `target` exists and is not such a file.
    """
    run = RecordedRun.of_folders(folders)
    write_coco(target, run)
    return len(run.images)


def write_coco(target: Path, run: RecordedRun, *, polygons: bool = False) -> None:
    """Write the COCO file of a run, with RLE or with polygons."""
    if not begins_with(target, COCO_BEGINNING.encode()):
        raise OccupiedError(f"{target} was not written by basam, and is left as it is: choose another --out")
    write_text(target, pieces_of(run, polygons))


def pieces_of(run: RecordedRun, polygons: bool) -> Iterator[str]:
    """The text of the file, piece by piece, because a million photos do not fit into memory."""
    given: Counter[int] = Counter()
    yield COCO_BEGINNING + ', "images": ['
    before = ""
    for image in run.images:
        line = image.line()
        height, width = line["size"]
        given.update(mask["id"] for mask in line["masks"] if brings_id(mask))
        yield before + json.dumps({"id": image.image_id, "file_name": line["name"], "height": height, "width": width})
        before = ", "
    yield '], "annotations": ['
    before = ""
    for image, _, number, mask in run.masks():
        own = brings_id(mask) and given[mask["id"]] == 1
        identity = mask["id"] if own else annotation_id(image.image_id, number)
        while not own and identity in given:
            identity += STEP
        ids = {"id": identity, "image_id": image.image_id, "category_id": run.category_of(image, mask), "iscrowd": 0}
        yield before + json.dumps(ids | annotation_of(mask, polygons), allow_nan=False)
        before = ", "
    categories = list(run.categories.values()) or [{"id": 1, "name": UNNAMED}]
    yield f'], "categories": {json.dumps(categories)}}}\n'


def annotation_of(mask: dict[str, Any], polygons: bool) -> dict[str, Any]:
    """COCO's values, with `score` (the prompt's, else the predicted IoU), `predicted_iou` and the prompt's id."""
    x0, y0, x1, y1 = mask["box"]
    return {
        "segmentation": mask["polygons"] if polygons else mask["rle"],
        "area": mask["area"],
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "score": mask["score"],
        "predicted_iou": mask["predicted_iou"],
        "prompt_id": mask["id"],
    }
