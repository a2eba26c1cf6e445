"""Write tables of masks as CSV, for one photo or a whole run; and the classes of YOLO."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from basam.batch.writers.recorded_masks import RecordedRun
from basam.errors import OccupiedError
from basam.files import begins_with, write_rows, write_text
from basam.masks import COLUMNS, PhotoResults, row_of

# Columns of a run; `share` is the part of the photo's area; the last five have their names from skimage's `regionprops_table`.
RUN_COLUMNS = (
    *("photo", "number", "id", "label", "score", "predicted_iou", "stability", "area", "share"),
    *("x0", "y0", "x1", "y1", "centroid_x", "centroid_y", "perimeter", "point_x", "point_y"),
    *("equivalent_diameter_area", "eccentricity", "intensity_mean-0", "intensity_mean-1", "intensity_mean-2"),
)
# Matches also tables of earlier versions, which had fewer columns.
TABLE_BEGINNING = ",".join(RUN_COLUMNS[:18])
YOLO_BEGINNING = "# classes of basam\n"


def write_csv(path: Path, results: PhotoResults) -> None:
    """Rows in the order of the masks; unknown values are empty. `score` is the prompt's, else the predicted IoU."""
    photo = results.name or str(results.photo)
    write_rows(path, COLUMNS, ([photo, index, *row_of(one)] for index, one in enumerate(results.masks, start=1)))


def write_table(path: Path, run: RecordedRun) -> None:
    """A row per mask of a run, in the order of its photos."""
    write_rows(path, RUN_COLUMNS, (row_of_mask(line, number, mask) for _, line, number, mask in run.masks()))


def row_of_mask(line: dict[str, Any], number: int, mask: dict[str, Any]) -> list[Any]:
    height, width = line["size"]
    scores = [round(mask[name], 6) for name in ("score", "predicted_iou")]
    stability = "" if mask["stability"] is None else round(mask["stability"], 6)
    return [
        *(line["name"], number, mask["id"], mask["label"] or "", *scores, stability),
        *(mask["area"], round(mask["area"] / (height * width), 6), *mask["box"]),
        *(*(mask["centroid"] or ("", "")), mask["perimeter"], *(mask["point"] or ("", ""))),
        # Records of earlier versions lack these.
        *(mask.get("equivalent_diameter_area"), mask.get("eccentricity"), *(mask.get("intensity_mean") or ("",) * 3)),
    ]


def write_yolo_data(path: Path, categories: Iterable[dict[str, Any]]) -> None:
    """The names of YOLO's classes, as in Ultralytics' data set YAML; JSON is YAML."""
    if not begins_with(path, YOLO_BEGINNING.encode()[:-1]):
        raise OccupiedError(f"{path} was not written by basam, and is left as it is: choose another --out")
    names = [f"  {number}: {json.dumps(str(category['name']))}\n" for number, category in enumerate(categories)]
    write_text(path, [YOLO_BEGINNING, "names:\n" if names else "names: {}\n", *names])
