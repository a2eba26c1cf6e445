"""Objects of a photo: what may name one, and those that the model finds by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from basam.files import COLOURS
from basam.masks import RunMask
from basam.web.library import LibraryPhoto
from basam.web.segmenter import NMS_IOU, FoundMask
from basam.web.session import PhotoState, SegmentedObject


def new_objects(photo: LibraryPhoto, state: PhotoState, found: Iterable[FoundMask]) -> list[SegmentedObject]:
    """Objects of what was found by itself, without what an object of the state shows already.

    Their keys follow from the point, so that the same ones come back when it is done again.
    """
    there = [each.runs(photo) for each in state.objects]
    new: list[SegmentedObject] = []
    for each in found:
        ((x, y, label),) = each.prompts.points
        key = hashlib.sha256(f"{x} {y} {each.prompts.candidate}".encode()).hexdigest()[:12]
        if state.object(key) is not None or any(is_alike(each.runs, other) for other in there):
            continue
        number = len(state.objects) + len(new)
        new.append(
            SegmentedObject(
                key=key,
                name=f"Object {number + 1}",
                colour="#{:02x}{:02x}{:02x}".format(*COLOURS[number % len(COLOURS)]),
                points=[[x, y, label]],
                method=each.prompts.method,
                candidate=each.prompts.candidate,
                score=each.score,
                area=each.runs.area,
                mask=each.runs.coco(),
            )
        )
    return new


def is_alike(one: RunMask, other: RunMask) -> bool:
    shared = one.shared(other)
    return shared > NMS_IOU * (one.area + other.area - shared)
