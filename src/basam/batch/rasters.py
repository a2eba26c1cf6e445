"""Segmenting georeferenced rasters, and photographs in windows: all masks, window by window."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.batch import PhotoTask, key_of
from basam.batch.finding import EverythingJob, in_record
from basam.batch.job import Outcome, PhotoMasks
from basam.batch.raster_settings import RasterSettings
from basam.batch.settings import EverythingSettings
from basam.checks import whole_number
from basam.errors import MissingExtraError, warn
from basam.files import Photograph, lacks_crs
from basam.geo import (
    DEFAULT_RASTER_KINDS,
    GeoRaster,
    PhotoWindows,
    PieceStore,
    RasterObjects,
    Windows,
    check_raster_kinds,
    open_raster,
    raster_files,
    raster_writers,
    segment_windows,
)
from basam.predict import MaskCandidate


@dataclass
class RasterMasks(PhotoMasks):
    """The masks of a raster: `objects` instead of `masks`."""

    objects: RasterObjects | None = None


@dataclass(frozen=True, kw_only=True)
class RasterJob(EverythingJob):
    """All masks of photographs and rasters."""

    settings: EverythingSettings

    @property
    def rasters(self) -> RasterSettings:
        return self.settings.rasters

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of files of a raster."""
        return self.settings.kinds or DEFAULT_RASTER_KINDS

    def read(self, task: PhotoTask) -> Any:
        """The photo, or the `GeoRaster`, whose pixels are read later."""
        if not self.rasters.holds(task.photo):
            if self.rasters.bands is not None:
                warn(
                    f"bands={self.rasters.bands} are for georeferenced rasters: this file has no coordinates, "
                    "so it is read as a photograph"
                )
            elif self.rasters.wanted is None and lacks_crs(task.photo):
                warn(
                    "it has coordinates but no coordinate reference system (CRS), so it is read as a photograph, and results "
                    "are in pixels: give it one (gdal_edit.py -a_srs EPSG:N), or silence this with --no-geo"
                )
            return super().read(task)
        try:
            raster = open_raster(task.photo, self.rasters.bands)
        except MissingExtraError as error:
            raise MissingExtraError(f"{error}; --no-geo reads georeferenced rasters as photographs") from error
        check_raster_kinds(self.kinds)
        return raster

    def key(self, task: PhotoTask) -> str:
        if not self.rasters.holds(task.photo):
            windows = {"windows": self.rasters.to_dict()} if self.rasters.has_windows else {}
            return key_of({"photo": super().key(task), **windows}) if windows else super().key(task)
        return key_of({"pieces": self.key_of_pieces(), **self.about_files(), "write": self.kinds})

    def key_of_pieces(self) -> str:
        """A hash of all settings that decide the masks of windows."""
        return key_of({**self.about, "raster": self.rasters.to_dict()})

    def about_files(self) -> dict[str, Any]:
        return {"cleaning": vars(self.outputs.cleaning), "tolerance": self.outputs.tolerance}

    def check(self, task: PhotoTask, width: int, height: int, inputs: Collection[str] = ()) -> None:
        if not self.rasters.holds(task.photo):
            return super().check(task, width, height, inputs)
        return self.folder.check_free(task.place, raster_files(self.kinds, task.stem), inputs)

    def find(self, task: PhotoTask, read: Any) -> PhotoMasks:
        if not isinstance(read, GeoRaster):
            return self.find_in_windows(task, read) if self.rasters.has_windows else super().find(task, read)
        store = self.store(task, read.size)
        segment_windows(read, self.masks_in_window, store, partial(self.progress, "windows of the raster"))
        return RasterMasks([], objects=RasterObjects(store, self.outputs.cleaning))

    def find_in_windows(self, task: PhotoTask, read: Photograph) -> PhotoMasks:
        """All masks of a photograph, window by window, best first, without soft edges."""
        store = self.store(task, read.size)
        windows = PhotoWindows(task.photo, read.pixels)
        highest = [[-math.inf, -math.inf]]

        def find(pixels: NDArray[np.uint8]) -> list[MaskCandidate]:
            masks = self.masks_in_window(pixels)
            highest.append(self.generator.highest)
            return masks

        segment_windows(windows, find, store, partial(self.progress, "windows of the photo"))
        masks = sorted(RasterObjects(store, self.outputs.cleaning), key=lambda one: -one.predicted_iou)
        store.remove()
        numbered = [replace(one, id=number) for number, one in enumerate(masks, start=1)]
        return PhotoMasks(numbered, [in_record([max(scores) for scores in zip(*highest, strict=True)])])

    def store(self, task: PhotoTask, size: tuple[int, int]) -> PieceStore:
        """The masks of finished windows, in a hidden file beside the results; after an interruption the next run resumes."""
        width, height = size
        side = self.window_side
        overlap = self.rasters.overlap_of(side)
        stat = task.photo.stat()
        about = {"raster": task.place.identity, "stamp": [stat.st_size, stat.st_mtime_ns], "key": self.key_of_pieces()}
        target = self.folder.root / task.stem
        target.parent.mkdir(parents=True, exist_ok=True)
        return PieceStore(target.with_name(f".{target.name}.windows.jsonl"), Windows(height, width, side, overlap), about)

    @property
    def window_side(self) -> int:
        """Side of a window in pixels: as set, or as many as the model encodes at native resolution under `long_side`."""
        if self.rasters.window is not None:
            return whole_number(self.rasters.window, "window", 1)
        if isinstance(self.settings.long_side, int):
            return min(self.settings.long_side, self.predictor.max_side)
        most = self.predictor.max_side
        return self.automatic_side(most, most)

    def masks_in_window(self, pixels: NDArray[np.uint8]) -> list[MaskCandidate]:
        self.generator.long_side = self.side(*pixels.shape[:2])
        return self.generator.find(pixels)

    def write(self, task: PhotoTask, read: Any, predicted: PhotoMasks, inputs: Collection[str] = ()) -> Outcome:
        if not isinstance(read, GeoRaster):
            return super().write(task, read, predicted, inputs)
        assert isinstance(predicted, RasterMasks)
        assert predicted.objects is not None
        objects = predicted.objects
        width, height = read.size
        writers = raster_writers(self.kinds, task.stem, read, objects, self.outputs.tolerance)
        row = {
            **{"width": width, "height": height, "seconds": round(predicted.seconds, 4)},
            **{"windows": len(objects.store.windows), "masks": len(objects), "best_iou": objects.best_iou},
        }
        self.folder.write(task.place, self.key(task), writers, [row], inputs, prompts=[], left_out=[])
        objects.store.remove()
        return Outcome(task.photo, self.with_paths(task, [row]))

    def with_paths(self, task: PhotoTask, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not self.rasters.holds(task.photo):
            return super().with_paths(task, rows)
        names = zip(self.kinds, raster_files(self.kinds, task.stem), strict=True)
        files = {kind: [str(self.folder.root / name)] for kind, name in names}
        return [{"photo": str(task.photo), **row, "files": files} for row in rows]
