"""What the page can ask for, without HTTP: photos, objects, masks. `server` turns requests into these calls."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np

import basam
from basam.errors import InputError, MissingFileError
from basam.files import read_image, read_photograph, replacing
from basam.web.answering import METHODS, Answering, PromptAnswer, PromptSet, prompts_of
from basam.web.library import Library, LibraryPhoto
from basam.web.pyramid import TILE, as_jpeg
from basam.web.session import PhotoState, SegmentedObject, Session
from basam.web.settings import WebSettings
from basam.web.shown import shown_mask
from basam.web.takeaway import WRITERS, TakenPhoto, take_away
from basam.web.worker import AHEAD, CLICK, LOOK, Worker

THUMB = 160
MOST_OBJECTS = 1000
LONGEST_NAME = 80


class Desk:
    """Library, session and model of one server. Its methods run on the worker's thread where they ask the model."""

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self.library = Library(settings.photos, settings.session / "uploads", settings.max_pixels)
        self.session = Session(settings.session)
        self.answering = Answering(
            settings.model, settings.cache, settings.max_pixels, adapter=settings.adapter, device=settings.device
        )
        self.worker = Worker()

    def ask(self, work: Callable[[], Any], urgency: int, kind: str, label: str) -> Future[Any]:
        return self.worker.submit(work, urgency=urgency, kind=kind, label=label)

    def overview(self) -> dict[str, Any]:
        geometry = self.answering.base.attachment.geometry
        return {
            "version": basam.__version__,
            "model": self.settings.model,
            "trained": geometry.image_size,
            "methods": METHODS,
            "writers": {key: label for key, (label, _) in WRITERS.items()},
            "everything": hasattr(basam, "AutomaticMasks"),
            "maxUpload": self.settings.max_upload,
            "tile": TILE,
            "leftOut": self.library.left_out,
            "photos": [self.told(photo) for photo in self.library.listed()],
        }

    def told(self, photo: LibraryPhoto) -> dict[str, Any]:
        state = self.session.state(photo)
        size = {"width": photo.width, "height": photo.height}
        return {"id": photo.key, "name": photo.name, **size, "done": state.done, "objects": len(state.objects)}

    def tile(self, key: str, level: int, column: int, row: int) -> Future[bytes]:
        photo = self.library[key]
        opened = self.answering.photos.get(key)
        if opened is not None:  # cut right away: the worker may be encoding
            found: Future[bytes] = Future()
            found.set_result(opened.pyramid.tile(level, column, row))
            return found
        work = lambda: self.answering.opened(photo).pyramid.tile(level, column, row)  # noqa: E731
        return self.ask(work, CLICK, "open", f"Opening {photo.name}")

    def thumbnail(self, key: str) -> bytes:
        """A small JPEG, which is kept beside the session so that a folder appears at once the next time."""
        photo = self.library[key]
        place = self.settings.session / "thumbnails" / f"{photo.key}.jpg"
        if not place.exists():
            image = read_photograph(photo.path, max_pixels=self.settings.max_pixels, long_side=THUMB).image
            image.thumbnail((THUMB, THUMB))
            content = as_jpeg(image)
            with replacing(place) as temporary:
                temporary.write_bytes(content)
            return content
        return place.read_bytes()

    def prepare(self, key: str, method: str) -> Future[Any]:
        """Encode a photo, and the one after it while nobody waits."""
        if method not in METHODS:
            raise InputError(f"method {method!r}: allowed are {', '.join(METHODS)}")
        photo = self.library[key]
        future = self.ask(lambda: self.answering.prepare(photo, method), LOOK, f"encode {method}", f"Encoding {photo.name}")
        following = self.library.after(key)
        if following is not None and following.key not in self.answering.photos:
            self.ask(lambda: self.answering.prepare(following, method), AHEAD, f"encode {method}", f"Encoding {following.name}")
        return future

    def record(self, key: str) -> dict[str, Any]:
        """A photo's state with its masks as the page draws them."""
        photo = self.library[key]
        return self.shown(photo, self.session.state(photo))

    def shown(self, photo: LibraryPhoto, state: PhotoState) -> dict[str, Any]:
        objects = [
            {**vars(each), "shown": shown_mask(self.session.mask(photo, each)) if each.mask else None} for each in state.objects
        ]
        return {**self.told(photo), "revision": state.revision, "objects": objects}

    def put_object(self, key: str, name: str, values: dict[str, Any]) -> Future[dict[str, Any]]:
        """Set an object's prompts, name and colour, and answer it."""
        photo = self.library[key]
        check_key(name)
        prompts = prompts_of(values, photo)
        label = str(values.get("name") or "Object")[:LONGEST_NAME]
        colour = str(values.get("colour", ""))
        if len(colour) != 7 or colour[0] != "#" or not all(each in "0123456789abcdefABCDEF" for each in colour[1:]):
            raise InputError(f"colour {colour!r}: #rrggbb is needed")
        each = SegmentedObject(
            key=name,
            name=label,
            colour=colour,
            points=[list(point) for point in prompts.points],
            box=None if prompts.box is None else list(prompts.box),
            method=prompts.method,
            candidate=prompts.candidate,
        )
        return self.ask(lambda: self.answered(photo, each, prompts, values), CLICK, "click", f"Segmenting {label}")

    def answered(
        self, photo: LibraryPhoto, each: SegmentedObject, prompts: PromptSet, values: dict[str, Any]
    ) -> dict[str, Any]:
        with self.session.lock:
            state = self.session.state(photo)
            answer = self.answering.answer(photo, prompts)
            mask = answer.masks[answer.chosen]
            each = replace(
                each,
                score=float(answer.scores[answer.chosen]),
                area=int(np.count_nonzero(mask)),
                mask=self.session.keep_mask(photo, each.key, mask, state.revision + 1),
            )
            kept = [each if old.key == each.key else old for old in state.objects]
            if all(old.key != each.key for old in state.objects):
                kept.append(each)
            if len(kept) > MOST_OBJECTS:
                raise InputError(f"a photo holds at most {MOST_OBJECTS} objects")
            new = self.session.keep(photo, tuple(kept), state.done, values.get("revision"))
        return {"revision": new.revision, "object": vars(each), "objects": len(kept), **self.told_of(answer)}

    def told_of(self, answer: PromptAnswer) -> dict[str, Any]:
        region = answer.view.region
        return {
            "candidates": [shown_mask(mask) for mask in answer.masks],
            "scores": [float(score) for score in answer.scores],
            "chosen": answer.chosen,
            "region": None if region is None else [region.left, region.top, region.side],
        }

    def remove_object(self, key: str, name: str, revision: int | None) -> dict[str, Any]:
        photo = self.library[key]
        with self.session.lock:
            state = self.session.state(photo)
            kept = tuple(each for each in state.objects if each.key != name)
            new = self.session.keep(photo, kept, state.done, revision)
        return {"revision": new.revision, "objects": len(kept)}

    def mark(self, key: str, done: bool) -> dict[str, Any]:
        photo = self.library[key]
        with self.session.lock:
            state = self.session.state(photo)
            new = self.session.keep(photo, state.objects, done, None)
        return {"revision": new.revision, "done": new.done}

    def compare(self, key: str, values: dict[str, Any]) -> Future[dict[str, Any]]:
        """The same prompts by every method; nothing is kept of it."""
        photo = self.library[key]
        prompts = replace(prompts_of(values, photo), candidate=None)

        def work() -> dict[str, Any]:
            answers = {method: self.answering.answer(photo, replace(prompts, method=method)) for method in METHODS}
            return {method: self.told_of(answer) for method, answer in answers.items()}

        return self.ask(work, CLICK, "compare", "Comparing three methods")

    def hover(self, key: str, values: dict[str, Any]) -> Future[dict[str, Any]]:
        photo = self.library[key]
        points = prompts_of({"points": [[values.get("x"), values.get("y"), 1]]}, photo).points

        def work() -> dict[str, Any]:
            mask, score = self.answering.hover(photo, *points[0][:2])
            return {"shown": shown_mask(mask, photo.width / mask.shape[1]), "score": score}

        return self.ask(work, LOOK, "hover", "Looking")

    def take(self, kind: str, keys: list[str]) -> tuple[str, str, bytes]:
        """A download of the photos of `keys` that hold objects."""

        def taken() -> Any:
            for key in keys:
                photo = self.library[key]
                objects = tuple(each for each in self.session.state(photo).objects if each.mask)
                if objects:
                    pixels = read_image(photo.path, max_pixels=self.settings.max_pixels)
                    yield TakenPhoto(photo, pixels, objects, [self.session.mask(photo, each) for each in objects])

        return take_away(kind, taken())


def check_key(key: str) -> None:
    """Keys of objects become names of files."""
    if not (key.isascii() and key.isalnum() and len(key) <= 32):
        raise MissingFileError(f"object {key!r}: letters and digits are needed")
