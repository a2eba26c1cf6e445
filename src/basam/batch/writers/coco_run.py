"""Masks of a whole run as one COCO file.

`coco.jsonl` gets a line as soon as a photo is done, so that nothing is lost where a run is stopped; `coco.json` is made of
it at the end. A photo that is done again replaces what it had.

Ids stay. That of an image is its place in the list of photos that a run was given, so that it does not matter in which order,
by how many processes and in how many goes they were done; a later run with another list leaves the numbers that there are.
That of an annotation is its prompt's, where that is a whole number that no other prompt of the folder has; otherwise it says
its image and its number there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from basam.checks import checked
from basam.errors import MissingFileError, OccupiedError
from basam.files import append_json, begins_with, locked, read_json_at, read_json_lines, write_text
from basam.masks import UNNAMED, MaskResult, PhotoResults

# Annotation k of image i has the id i times this plus k, unless its prompt brings one.
MOST_OF_AN_IMAGE = 1_000_000
# Added to such an id until it is none that a prompt brought.
STEP = 10**12
# Ids that programs with numbers of 64-bit floats tell apart.
MOST_ID = 2**53 - 1
MADE_BY = "masks of basam"
JOURNAL_BEGINNING = json.dumps({"by": MADE_BY})[:-1].encode()
FILE_BEGINNING = json.dumps({"info": {"description": MADE_BY}})[:-1]


class Noted(NamedTuple):
    """Where the last line of a photo is, and the number of its image."""

    number: int
    journal: Path
    offset: int


class CocoRun:
    """`coco.json` in a folder of results, and the lines that it is made of.

    Args:
        shared: other processes write to the folder at the same time.

    Raises:
        FileExistsError: one of the files is there and no run wrote it.
    """

    def __init__(self, folder: Path, *, shared: bool = False) -> None:
        self.file, self.journal, self.shared = folder / "coco.json", folder / "coco.jsonl", shared
        if self.file.exists() and not self.journal.exists():
            raise OccupiedError(f"{self.file} was not written by basam, and is left as it is: choose another --out")
        self.numbers = {photo: each.number for photo, each in noted_in([self.journal]).items()}
        self.taken = set(self.numbers.values())
        self.noted = set(self.numbers)

    def number(self, photos: Sequence[Path]) -> list[int]:
        """Numbers of the images of a run. Every process of a run passes all of its photos, in the same order.

        A photo that has one keeps it. Any other gets its place in the list or, where another photo has that number, one that
        lies a multiple of a round number above: so processes that begin at different times agree.
        """
        stride = 10 ** len(str(len(photos)))
        return [self.number_of(str(photo.resolve()), place, stride) for place, photo in enumerate(photos, start=1)]

    def number_of(self, photo: str, wanted: int, stride: int = 1) -> int:
        if photo not in self.numbers:
            while wanted in self.taken:
                wanted += stride
            self.numbers[photo] = wanted
            self.taken.add(wanted)
        return self.numbers[photo]

    def add(self, results: PhotoResults, number: int | None = None) -> None:
        """Note the masks of a photo.

        Args:
            number: of the image, see `number`; None: the next one.
        """
        height, width = results.size
        photo = str(results.photo.resolve())
        number = number or self.number_of(photo, 1)
        line = {"by": MADE_BY, "photo": photo, "number": number, "height": height, "width": width}
        line["annotations"] = [annotation_of(one) for one in results.found]
        append_json(self.journal, line, shared=self.shared)
        self.noted.add(photo)

    def write(self) -> None:
        """Make `coco.json` of all photos that were noted in this folder, by whatever process."""
        with self.journal.open("a+b") as file, locked(file, self.journal, needed=self.shared):
            write_text(self.file, pieces_of([self.journal]))


@checked
def merge_coco(folders: Sequence[Path], target: Path) -> int:
    """One COCO file of the masks in several folders of results, such as those of the shards of a run.

    A photo that lies in several has the masks of the last one. Numbers of images stay as far as no other image has them.

    Returns:
        number of images.

    Raises:
        FileNotFoundError: a folder without `coco.jsonl`.
        FileExistsError: `target` is there and is no such file.
    """
    journals = [folder / "coco.jsonl" for folder in folders]
    for journal in journals:
        if not journal.exists():
            raise MissingFileError(f"{journal}: no such file; --write coco makes it")
    if not begins_with(target, FILE_BEGINNING.encode()):
        raise OccupiedError(f"{target} was not written by basam, and is left as it is: choose another --out")
    write_text(target, pieces_of(journals))
    return len(noted_in(journals))


def noted_in(journals: Iterable[Path]) -> dict[str, Noted]:
    """The photos in journals of runs, each with a number that no other has.

    Raises:
        FileExistsError: no run wrote it.
    """
    found: dict[str, Noted] = {}
    for journal in journals:
        foreign = OccupiedError(f"{journal} was not written by basam, and is left as it is: choose another --out")
        if not begins_with(journal, JOURNAL_BEGINNING):
            raise foreign
        for _, offset, line in read_json_lines(journal):
            if not isinstance(line, dict) or not isinstance(line.get("number"), int):
                raise foreign
            found[line["photo"]] = Noted(line["number"], journal, offset)
    holders: dict[int, str] = {}
    doubled = [photo for photo, each in found.items() if holders.setdefault(each.number, photo) != photo]
    for number, photo in enumerate(doubled, start=max(holders, default=0) + 1):
        found[photo] = found[photo]._replace(number=number)
    return found


def pieces_of(journals: Sequence[Path]) -> Iterator[str]:
    """The text of a COCO file, piece by piece: what a million photos have does not fit into memory."""
    places = sorted(noted_in(journals).values())
    given: Counter[int] = Counter()
    yield FILE_BEGINNING + ', "images": ['
    before = ""
    for place, line in lines_at(places):
        image = {"id": place.number, "file_name": line["photo"], "height": line["height"], "width": line["width"]}
        given.update(each["prompt_id"] for each in line["annotations"] if brings_id(each))
        yield before + json.dumps(image)
        before = ", "
    yield '], "annotations": ['
    before = ""
    categories: dict[str, int] = {}
    for place, line in lines_at(places):
        for index, found in enumerate(line["annotations"], start=1):
            own = brings_id(found) and given[found["prompt_id"]] == 1
            identity = found["prompt_id"] if own else place.number * MOST_OF_AN_IMAGE + index
            while not own and identity in given:
                identity += STEP
            category = categories.setdefault(found["category"], len(categories) + 1)
            values = {key: value for key, value in found.items() if key not in ("category", "named")}
            ids = {"id": identity, "image_id": place.number, "category_id": category, "iscrowd": 0}
            yield before + json.dumps(ids | values, allow_nan=False)
            before = ", "
    named = [{"id": number, "name": name} for name, number in (categories or {UNNAMED: 1}).items()]
    yield f'], "categories": {json.dumps(named)}}}\n'


def lines_at(places: Iterable[Noted]) -> Iterator[tuple[Noted, dict[str, Any]]]:
    for place in places:
        yield place, next(read_json_at(place.journal, [place.offset]))


def brings_id(annotation: dict[str, Any]) -> bool:
    """Whether the prompt has an id of its own that COCO can have."""
    identity = annotation["prompt_id"]
    return annotation["named"] and isinstance(identity, int) and 0 <= identity <= MOST_ID


def annotation_of(one: MaskResult) -> dict[str, Any]:
    """COCO's, with `score` (the prompt's, else the predicted IoU), `predicted_iou`, and the prompt's own id as `prompt_id`."""
    x0, y0, x1, y1 = one.runs.box
    return {
        "category": one.label or UNNAMED,
        "segmentation": one.runs.coco(),
        "area": one.runs.area,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "score": one.score,
        "predicted_iou": one.predicted_iou,
        "prompt_id": one.id,
        "named": one.named,
    }
