"""What the page can ask for, without HTTP: photos, objects, masks. `server` turns requests into these calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import basam
from basam.errors import InputError
from basam.files import read_photograph, write_bytes
from basam.web.export_jobs import Exports
from basam.web.exporting import WRITERS
from basam.web.library import Library, LibraryPhoto, readable
from basam.web.objects import new_objects
from basam.web.payloads import mask_payload, prediction_payload
from basam.web.prompts import PromptSet, check_key, checked_colour, prompts_of
from basam.web.segmenter import METHODS, THRESHOLDS, Segmenter
from basam.web.session import PhotoState, SegmentedObject, Session
from basam.web.settings import WebSettings
from basam.web.tiles import TILE, as_jpeg
from basam.web.worker import AHEAD, CLICK, VIEW, Worker

THUMBNAIL = 160
MAX_OBJECTS = 1000
MAX_NAME = 80
# Pixels along the side that a model was trained at which is never as sure of a mask as a large one.
SMALL_MODEL = 512


class Workspace:
    """Library, session and model of one server. Its methods run on the worker's thread where they ask the model."""

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self.library = Library(settings.photos, settings.session / "uploads", settings.max_pixels)
        self.session = Session(settings.session)
        self.worker = Worker()
        self.segmenter = Segmenter(
            settings.model,
            settings.cache,
            settings.max_pixels,
            adapter=settings.adapter,
            device=settings.device,
            checkpoint=self.worker.checkpoint,
        )
        self.exports = Exports(self.library, self.session, self.worker, self.segmenter, settings.max_pixels)

    def ask(self, work: Callable[[], Any], urgency: int, kind: str, label: str, window: str = "") -> Future[Any]:
        return self.worker.submit(work, urgency=urgency, kind=kind, label=label, owner=window)

    def overview(self) -> dict[str, Any]:
        geometry = self.segmenter.base.attachment.geometry
        return {
            "version": basam.__version__,
            "model": self.settings.model,
            "trained": geometry.image_size,
            "methods": METHODS,
            "writers": WRITERS,
            "sureness": list(THRESHOLDS),
            "sure": list(THRESHOLDS)[0 if geometry.image_size > SMALL_MODEL else -1],
            "maxUpload": self.settings.max_upload,
            "tile": TILE,
            "leftOut": [self.library.relative(line) for line in self.library.left_out],
            "photos": [self.reported(photo) for photo in self.library.listed()],
            "notes": self.session.notes,
        }

    def close(self) -> None:
        """End after the job that runs; the session folder is free for another server then."""
        self.exports.close()
        self.worker.close()
        self.session.close()

    def reported(self, photo: LibraryPhoto) -> dict[str, Any]:
        state = self.session.state(photo)
        size = {"width": photo.width, "height": photo.height, "content": photo.content}
        return {"id": photo.key, "name": photo.name, **size, "done": state.done, "objects": len(state.objects)}

    def tile(self, key: str, level: int, column: int, row: int) -> bytes:
        """A tile as JPEG; the photo is opened beside the worker, which may be encoding another."""
        return self.segmenter.opened(self.library[key]).tiles.tile(level, column, row)

    def thumbnail(self, key: str) -> bytes:
        """A small JPEG, which is kept beside the session so that a folder appears at once the next time."""
        photo = self.library[key]
        place = self.settings.session / "thumbnails" / f"{photo.key}-{photo.content}.jpg"
        if not place.exists():
            image = read_photograph(photo.path, max_pixels=self.settings.max_pixels, long_side=THUMBNAIL).image
            image.thumbnail((THUMBNAIL, THUMBNAIL))
            content = as_jpeg(image)
            with contextlib.suppress(OSError):  # a full disk hides no photo
                write_bytes(place, content)
            return content
        return place.read_bytes()

    def prepare(self, key: str, method: str, window: str) -> Future[Any]:
        """Encode a photo, and the one after it while nobody waits. The window no longer waits for photos that it left."""
        if method not in METHODS:
            raise InputError(f"method {method!r}: allowed are {', '.join(METHODS)}")
        photo = self.library[key]
        self.worker.cancel(window, "hover", *(f"encode {each}" for each in METHODS))
        kind = f"encode {method}"
        future = self.ask(lambda: self.segmenter.prepare(photo, method), VIEW, kind, f"Encoding {photo.name}", window)
        following = self.library.after(key)
        if following is not None and following.key not in self.segmenter.photos:
            label = f"Encoding {following.name}"
            self.ask(lambda: self.segmenter.prepare_ahead(following, method), AHEAD, kind, label, window)
        return future

    def record(self, key: str) -> dict[str, Any]:
        """A photo's state with its masks as the page draws them."""
        photo = self.library[key]
        return self.shown(photo, self.session.state(photo))

    def shown(self, photo: LibraryPhoto, state: PhotoState) -> dict[str, Any]:
        objects = [{**each.reported(), "shown": mask_payload(each.runs(photo))} for each in state.objects]
        return {**self.reported(photo), "revision": state.revision, "objects": objects}

    def put_object(self, key: str, name: str, values: dict[str, Any], window: str) -> Future[dict[str, Any]]:
        """Set an object's prompts, name and colour, and answer it where the prompts are new."""
        photo = self.library[key]
        check_key(name)
        prompts = prompts_of(values, photo)
        label = readable(str(values.get("name") or "Object"))[:MAX_NAME]
        each = SegmentedObject(
            key=name,
            name=label,
            colour=checked_colour(str(values.get("colour", ""))),
            points=[list(point) for point in prompts.points],
            box=None if prompts.box is None else list(prompts.box),
            method=prompts.method,
            candidate=prompts.candidate,
        )
        revision = values.get("revision")
        old = self.session.state(photo).object(name)
        if old is not None and old.mask is not None and old.has_prompts_of(each):
            renamed: Future[dict[str, Any]] = Future()
            renamed.set_result(self.placed(photo, [replace(old, name=each.name, colour=each.colour)], revision))
            return renamed
        return self.ask(lambda: self.answered(photo, each, prompts, revision), CLICK, "click", f"Segmenting {label}", window)

    def answered(self, photo: LibraryPhoto, each: SegmentedObject, prompts: PromptSet, revision: int | None) -> dict[str, Any]:
        self.session.state(photo).check(photo, revision)  # before the work
        found = self.segmenter.answer(photo, prompts)
        score = float(found.answer.scores[found.chosen])
        each = replace(each, score=score, area=found.runs.area, mask=found.runs.coco())
        return {**self.placed(photo, [each], revision), **prediction_payload(photo, found)}

    def placed(self, photo: LibraryPhoto, objects: Sequence[SegmentedObject], revision: int | None) -> dict[str, Any]:
        """The state with objects changed or added; those of a key that there is take its place."""
        with self.session.lock:
            state = self.session.state(photo)
            kept = {each.key: each for each in (*state.objects, *objects)}
            if len(kept) > MAX_OBJECTS:
                raise InputError(f"a photo holds at most {MAX_OBJECTS} objects")
            new = self.session.keep(photo, tuple(kept.values()), state.done, revision)
        return {"revision": new.revision, "object": objects[-1].reported(), "objects": len(kept)}

    def everything(self, key: str, sure: str, window: str) -> Future[dict[str, Any]]:
        """Find everything in a photo; what is there already is not added again."""
        photo = self.library[key]

        def work() -> dict[str, Any]:
            found = self.segmenter.everything(photo, sure, self.worker.progress)
            self.worker.checkpoint()
            with self.session.lock:
                state = self.session.state(photo)
                new = new_objects(photo, state, found)[: MAX_OBJECTS - len(state.objects)]
                if new:
                    self.placed(photo, new, None)
            return {"added": [each.key for each in new], "found": len(found)}

        return self.ask(work, VIEW, "everything", f"Finding everything in {photo.name}", window)

    def remove_objects(self, key: str, names: Collection[str], revision: int | None) -> dict[str, Any]:
        photo = self.library[key]
        with self.session.lock:
            state = self.session.state(photo)
            kept = tuple(each for each in state.objects if each.key not in names)
            new = self.session.keep(photo, kept, state.done, revision)
        return {"revision": new.revision, "objects": len(kept)}

    def mark(self, key: str, done: bool) -> dict[str, Any]:
        photo = self.library[key]
        with self.session.lock:
            state = self.session.state(photo)
            new = self.session.keep(photo, state.objects, done, None)
        return {"revision": new.revision, "done": new.done}

    def compare(self, key: str, values: dict[str, Any], window: str) -> Future[dict[str, Any]]:
        """The same prompts by every method; nothing is kept of it."""
        photo = self.library[key]
        prompts = replace(prompts_of(values, photo), candidate=None)

        def work() -> dict[str, Any]:
            answers = {method: self.segmenter.answer(photo, replace(prompts, method=method)) for method in METHODS}
            return {method: prediction_payload(photo, answer) for method, answer in answers.items()}

        return self.ask(work, CLICK, "compare", "Comparing three methods", window)

    def hover(self, key: str, values: dict[str, Any], window: str) -> Future[dict[str, Any]]:
        photo = self.library[key]
        points = prompts_of({"points": [[values.get("x"), values.get("y"), 1]]}, photo).points

        def work() -> dict[str, Any]:
            runs, score = self.segmenter.hover(photo, *points[0][:2])
            return {"shown": mask_payload(runs, photo.width / runs.width), "score": score}

        return self.ask(work, VIEW, "hover", "Looking", window)
