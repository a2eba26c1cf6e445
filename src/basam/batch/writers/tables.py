"""A table of a photo's masks, one row each, as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

from basam.files import replacing
from basam.masks import COLUMNS, PhotoResults, row_of


def write_csv(path: Path, results: PhotoResults) -> None:
    """Rows in the order of the masks; what is not known of one is empty. `score` is the prompt's, else the predicted IoU."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for index, one in enumerate(results.found):
            rows.writerow([results.photo, index + 1, *row_of(one)])
