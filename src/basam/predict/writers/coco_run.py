"""Masks of a whole run as one COCO file.

`coco.jsonl` gets a line as soon as a photo is done, so that nothing is lost where a run is stopped; `coco.json` is made of
it at the end. A photo that is done again replaces what it had. Ids stay: that of an image is its place among the
first lines of all photos, that of an annotation says its image and its number there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from basam.errors import OccupiedError
from basam.files import append_json, read_json_lines, write_json
from basam.predict.writers.found import UNNAMED, Found, ResultsOfPhoto

# Annotation k of image i has the id i times this plus k.
MOST_OF_AN_IMAGE = 1_000_000
MADE_BY = "masks of basam"


class CocoRun:
    """`coco.json` in a folder of results, and the lines that it is made of.

    Raises:
        FileExistsError: one of the files is there and no run wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.file, self.journal = folder / "coco.json", folder / "coco.jsonl"
        if self.file.exists() and not self.journal.exists():
            raise OccupiedError(f"{self.file} was not written by basam, and is left as it is: choose another --out")
        for line in self.lines():
            if not isinstance(line, dict) or line.get("by") != MADE_BY:
                raise OccupiedError(f"{self.journal} was not written by basam, and is left as it is: choose another --out")

    def lines(self) -> list[Any]:
        return [line for _, line in read_json_lines(self.journal)]

    def add(self, results: ResultsOfPhoto) -> None:
        """Note the masks of a photo."""
        height, width = results.size
        line = {"by": MADE_BY, "photo": str(results.photo.resolve()), "height": height, "width": width}
        append_json(self.journal, {**line, "annotations": [annotation_of(one) for one in results.found]})

    def write(self) -> None:
        """Make `coco.json` of all photos that were noted in this folder."""
        last: dict[str, dict[str, Any]] = {}
        for line in self.lines():
            last[line["photo"]] = line
        images, annotations = [], []
        categories: dict[str, int] = {}
        for number, line in enumerate(last.values(), start=1):
            images.append({"id": number, "file_name": line["photo"], "height": line["height"], "width": line["width"]})
            for index, found in enumerate(line["annotations"], start=1):
                category = categories.setdefault(found["category"], len(categories) + 1)
                given = {key: value for key, value in found.items() if key != "category"}
                ids = {"id": number * MOST_OF_AN_IMAGE + index, "image_id": number, "category_id": category, "iscrowd": 0}
                annotations.append(ids | given)
        named = [{"id": number, "name": name} for name, number in (categories or {UNNAMED: 1}).items()]
        info = {"description": MADE_BY}
        write_json(self.file, {"info": info, "images": images, "annotations": annotations, "categories": named}, indent=None)


def annotation_of(one: Found) -> dict[str, Any]:
    """COCO's, with `score`, and with the prompt's own id as `prompt_id`."""
    x0, y0, x1, y1 = one.runs.box
    return {
        "category": one.label or UNNAMED,
        "segmentation": one.runs.coco(),
        "area": one.runs.area,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "score": one.score,
        "prompt_id": one.id,
    }
