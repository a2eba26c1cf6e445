"""Georeferenced rasters among photographs: everything in them is found window by window, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.checks import whole_number
from basam.distributed.finding import EverythingJob
from basam.distributed.job import Answered, Outcome, PhotoTask
from basam.distributed.scene_settings import SceneSettings
from basam.errors import MissingExtraError, warn
from basam.files import key_of
from basam.geo import (
    DEFAULT_SCENE_KINDS,
    GeoScene,
    PieceStore,
    SceneObjects,
    Windows,
    check_scene_kinds,
    look_at_windows,
    open_scene,
    scene_files,
    scene_writers,
)
from basam.predict import MaskCandidate


@dataclass
class AnsweredScene(Answered):
    """What was found in a scene: `objects` instead of `found`."""

    objects: SceneObjects | None = None


@dataclass(frozen=True, kw_only=True)
class SceneJob(EverythingJob):
    """Masks of everything in photographs and in scenes.

    Attributes:
        scenes: how the latter are read.
    """

    scenes: SceneSettings

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of the files of a scene."""
        return DEFAULT_SCENE_KINDS if self.scenes.kinds is None else self.scenes.kinds

    def read(self, task: PhotoTask) -> Any:
        """The photo, or the `GeoScene`, of which no pixel is held."""
        if not self.scenes.holds(task.photo):
            if self.scenes.given:
                warn(
                    f"{self.scenes.given} are for georeferenced rasters: this file does not say where on the earth it lies, so "
                    "it is read as a photograph"
                )
            return super().read(task)
        try:
            scene = open_scene(task.photo, self.scenes.bands)
        except MissingExtraError as error:
            raise MissingExtraError(f"{error}; --no-geo reads georeferenced rasters as photographs") from error
        check_scene_kinds(self.kinds)
        return scene

    def key(self, task: PhotoTask) -> str:
        if not self.scenes.holds(task.photo):
            return super().key(task)
        return key_of({"pieces": self.key_of_pieces(), **self.about_files(), "write": self.kinds})

    def key_of_pieces(self) -> str:
        """A short name of all that decides what windows show."""
        return key_of({**self.settings, "scene": self.scenes.to_dict()})

    def about_files(self) -> dict[str, Any]:
        return {"cleaning": vars(self.outputs.cleaning), "tolerance": self.outputs.tolerance}

    def answer(self, task: PhotoTask, read: Any, inputs: Collection[str] = ()) -> Answered:
        if not isinstance(read, GeoScene):
            return super().answer(task, read, inputs)
        start = time.perf_counter()
        self.folder.check_free(str(task.photo.resolve()), scene_files(self.kinds, task.stem), inputs)
        store = self.store(task, read)
        look_at_windows(read, self.masks_in_window, store, partial(self.progress, "windows of the scene"))
        objects = SceneObjects(store, self.outputs.cleaning)
        return AnsweredScene([], objects=objects, seconds=time.perf_counter() - start)

    def store(self, task: PhotoTask, scene: GeoScene) -> PieceStore:
        """What windows showed, in a hidden file beside the results; it stays where a run is stopped: the next resumes."""
        width, height = scene.size
        side = self.window_side
        overlap = side // 4 if self.scenes.overlap is None else self.scenes.overlap
        stat = task.photo.stat()
        about = {"scene": str(task.photo.resolve()), "stamp": [stat.st_size, stat.st_mtime_ns], "key": self.key_of_pieces()}
        target = self.folder.root / task.stem
        target.parent.mkdir(parents=True, exist_ok=True)
        return PieceStore(target.with_name(f".{target.name}.windows.jsonl"), Windows(height, width, side, overlap), about)

    @property
    def window_side(self) -> int:
        """Pixels of a window's side: the wanted, or as many as the model sees at their own size under `long_side`."""
        if self.scenes.window is not None:
            return whole_number(self.scenes.window, "window", 1)
        if isinstance(self.long_side, int):
            return min(self.long_side, self.predictor.max_side)
        most = self.predictor.max_side
        return self.automatic_side(most, most)

    def masks_in_window(self, pixels: NDArray[np.uint8]) -> list[MaskCandidate]:
        self.generator.long_side = self.side(*pixels.shape[:2])
        return self.generator.find(pixels)

    def write(self, task: PhotoTask, read: Any, answered: Answered, inputs: Collection[str] = ()) -> Outcome:
        if not isinstance(read, GeoScene):
            return super().write(task, read, answered, inputs)
        assert isinstance(answered, AnsweredScene)
        assert answered.objects is not None
        objects = answered.objects
        width, height = read.size
        writers = scene_writers(self.kinds, task.stem, read, objects, self.outputs.tolerance)
        files = {kind: [str(self.folder.root / name)] for kind, name in zip(self.kinds, writers, strict=True)}
        row = {
            **{"photo": str(task.photo), "width": width, "height": height, "seconds": round(answered.seconds, 4)},
            **{"windows": len(objects.store.windows), "masks": len(objects), "best_iou": objects.best_iou, "files": files},
        }
        self.folder.write(task.photo, self.key(task), writers, [row], inputs, stem=task.stem, prompts=[], left_out=[])
        objects.store.remove()
        return Outcome(task.photo, [row])

    def finished(self, task: PhotoTask) -> Outcome | None:
        if not self.scenes.holds(task.photo):
            return super().finished(task)
        line = None if self.overwrite else self.folder.finished(task.photo, self.key(task))
        return None if line is None else Outcome(task.photo, line["rows"], before=True)
