"""The photos of a run with their prompts and output names. No torch here: names are checked before a model is
loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basam.batch import PhotoPlace, PromptRow
from basam.batch.writers import Outputs


@dataclass(frozen=True)
class PhotoTask:
    """A photo and its prompts.

    Attributes:
        place: the photo and its names in the folder of results.
        prompts: none: the whole photo is the box.
        image_id: in the COCO file of the run; own_id: it is from the user's COCO file.
    """

    place: PhotoPlace
    prompts: tuple[PromptRow, ...]
    image_id: int | str | None = None
    own_id: bool = False

    @property
    def photo(self) -> Path:
        return self.place.photo

    @property
    def stem(self) -> str:
        return self.place.stem


def tasks_of(
    outputs: Outputs,
    photos: Sequence[Path] | Mapping[Path, str],
    prompts: Mapping[Path, Sequence[PromptRow]] | Sequence[PromptRow] = (),
    image_ids: Mapping[Path, int | str] | None = None,
    categories: Sequence[Mapping[str, Any]] = (),
) -> list[PhotoTask]:
    """One task per photo of a run, with unique names for results. Processes that share a run must pass all its photos, in the
    same order, before they take their part.

    Args:
        photos: perhaps with their names in outputs.
        prompts: per photo, or for all photos.
        image_ids, categories: of a COCO file.
    """
    names = photos if isinstance(photos, Mapping) else {}
    places = [outputs.folder.place_of(photo, names.get(photo)) for photo in photos]
    of_photo = prompts.get if isinstance(prompts, Mapping) else lambda photo, none: prompts
    rows = [tuple(of_photo(place.photo, ())) for place in places]
    outputs.register([row.label for some in rows for row in some if row.label and row.category_id is None], categories)
    own = image_ids or {}
    ids = outputs.folder.image_ids(places, own)
    return [
        PhotoTask(place, some, image_id, place.photo in own) for place, some, image_id in zip(places, rows, ids, strict=True)
    ]
