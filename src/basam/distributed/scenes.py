"""Georeferenced rasters among photographs: everything in them is found window by window, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.checks import whole_number
from basam.distributed.finding import EverythingJob
from basam.distributed.job import Answered, Outcome, PhotoTask
from basam.errors import MissingExtraError
from basam.files import is_georeferenced, key_of
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

# Of a window's side, where nobody says.
OVERLAP = 0.25


@dataclass(frozen=True)
class SceneSettings:
    """How georeferenced rasters are read.

    Attributes:
        wanted: True: all files are such; False: none is read so; None: a TIFF that says where on the earth it lies.
        window: side in pixels of the scene; None: as many as the model sees at their own size.
        overlap: of windows in pixels; None: a quarter of the side.
        bands: one or three, numbered from 1; None: all, where there are as many.
        kinds: of files.
    """

    wanted: bool | None = None
    window: int | None = None
    overlap: int | None = None
    bands: tuple[int, ...] | None = None
    kinds: tuple[str, ...] = DEFAULT_SCENE_KINDS

    def holds(self, path: Path) -> bool:
        """Whether a file is read as a scene."""
        return is_georeferenced(path) if self.wanted is None else self.wanted

    def told(self) -> dict[str, Any]:
        """All of it that decides the result."""
        return {"window": self.window, "overlap": self.overlap, "bands": self.bands}


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

    def read(self, task: PhotoTask) -> Any:
        """The photo, or the `GeoScene`, of which no pixel is held."""
        if not self.scenes.holds(task.photo):
            return super().read(task)
        try:
            scene = open_scene(task.photo, self.scenes.bands)
        except MissingExtraError as error:
            raise MissingExtraError(f"{error}; --no-geo reads georeferenced rasters as photographs") from error
        check_scene_kinds(self.scenes.kinds)
        return scene

    def key(self, task: PhotoTask) -> str:
        if not self.scenes.holds(task.photo):
            return super().key(task)
        return key_of({"pieces": self.key_of_pieces(), **self.told_of_files(), "write": self.scenes.kinds})

    def key_of_pieces(self) -> str:
        """A short name of all that decides what windows show."""
        return key_of({**self.settings, "scene": self.scenes.told()})

    def told_of_files(self) -> dict[str, Any]:
        return {"cleaning": vars(self.outputs.cleaning), "tolerance": self.outputs.tolerance}

    def answer(self, task: PhotoTask, read: Any, inputs: Collection[str] = ()) -> Answered:
        if not isinstance(read, GeoScene):
            return super().answer(task, read, inputs)
        start = time.perf_counter()
        self.folder.check_free(str(task.photo.resolve()), scene_files(self.scenes.kinds, task.stem), inputs)
        store = self.store(task, read)
        look_at_windows(read, self.masks_in_window, store, partial(self.progress, "windows of the scene"))
        objects = SceneObjects(store, self.outputs.cleaning)
        return AnsweredScene([], objects=objects, seconds=time.perf_counter() - start)

    def store(self, task: PhotoTask, scene: GeoScene) -> PieceStore:
        """What windows showed, in a hidden file beside the results; it stays where a run is stopped: the next resumes."""
        width, height = scene.size
        side = self.window_side
        overlap = round(side * OVERLAP) if self.scenes.overlap is None else self.scenes.overlap
        stat = task.photo.stat()
        about = {"scene": str(task.photo.resolve()), "stamp": [stat.st_size, stat.st_mtime_ns], "key": self.key_of_pieces()}
        target = self.folder.root / task.stem
        target.parent.mkdir(parents=True, exist_ok=True)
        return PieceStore(target.with_name(f".{target.name}.windows.jsonl"), Windows(height, width, side, overlap), about)

    @property
    def window_side(self) -> int:
        """Pixels of a window's side: as asked for, or as many as the model sees at their own size under `long_side`."""
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
        writers = scene_writers(self.scenes.kinds, task.stem, read, objects, self.outputs.tolerance)
        files = {kind: [str(self.folder.root / name)] for kind, name in zip(self.scenes.kinds, writers, strict=True)}
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
