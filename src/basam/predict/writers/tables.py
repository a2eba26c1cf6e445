"""A table of a photo's masks, one row each, as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

from basam.files import replacing
from basam.predict.writers.found import Found, ResultsOfPhoto

# x1 and y1 are one past the last pixel; area is in pixels of the photo.
COLUMNS = (
    *("photo", "number", "id", "label", "score", "predicted_iou", "stability", "area"),
    *("x0", "y0", "x1", "y1", "point_x", "point_y"),
)


def write_csv(path: Path, results: ResultsOfPhoto) -> None:
    """Rows in the order of the masks; what is not known of one is empty. `score` is the prompt's, else the predicted IoU."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for index, one in enumerate(results.found):
            rows.writerow([results.photo, index + 1, *row_of(one)])


def row_of(one: Found) -> list[object]:
    stability = "" if one.stability is None else round(one.stability, 6)
    point = ("", "") if one.point is None else one.point
    scores = round(one.score, 6), round(one.predicted_iou, 6), stability
    return [one.id, one.label or "", *scores, one.runs.area, *one.runs.box, *point]
