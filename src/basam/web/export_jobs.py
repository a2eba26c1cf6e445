"""Exports that are being written: one at a time, beside the worker, so that clicks and tiles are not delayed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.errors import InputError
from basam.files import read_image
from basam.masks import SoftMask
from basam.web.exporting import Export, ExportedPhoto, export_photos
from basam.web.library import Library, LibraryPhoto
from basam.web.prompts import prompts_of
from basam.web.segmenter import Segmenter
from basam.web.session import SegmentedObject, Session, StaleError
from basam.web.worker import VIEW, StoppedError, Worker

# How often a job that waits for the model checks whether it was cancelled.
CANCEL_SECONDS = 0.2


@dataclass(eq=False)
class ExportJob:
    """An export of one window; `photos_done` of `photos` are written."""

    window: str
    photos: int
    photos_done: int = 0
    future: Future[Export] = field(default_factory=Future)
    stop: threading.Event = field(default_factory=threading.Event)

    def cancel(self, _: Any = None) -> None:
        self.stop.set()
        self.future.cancel()

    def checkpoint(self) -> None:
        """Raise StoppedError if the job was cancelled."""
        if self.stop.is_set():
            raise StoppedError("cancelled")


class Exports:
    """Writes exports, one after the other.

    Args:
        max_pixels: photographs with more raise.
    """

    def __init__(
        self, library: Library, session: Session, worker: Worker, segmenter: Segmenter, max_pixels: int | None
    ) -> None:
        self.library, self.session, self.worker, self.segmenter = library, session, worker, segmenter
        self.max_pixels = max_pixels
        self.jobs: dict[str, ExportJob] = {}
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="basam-export")

    def start(self, kind: str, keys: Sequence[str], folder: Path, window: str, only: str = "") -> ExportJob:
        """Write the photos of `keys` that have objects, or the object `only` of one, into an empty folder.

        Raises:
            StaleError: the window's last export is still being written.
        """
        with self.lock:
            running = self.jobs.get(window)
            if running is not None and not running.future.done():
                raise StaleError("the last download is still being written: wait for it, or cancel it")
            job = ExportJob(window, len(keys))
            job.future = self.pool.submit(self.write, job, kind, keys, folder, only)
            self.jobs[window] = job
        job.future.add_done_callback(lambda _: self.forget(job))
        return job

    def forget(self, job: ExportJob) -> None:
        with self.lock:
            if self.jobs.get(job.window) is job:
                del self.jobs[job.window]

    def cancel(self, window: str) -> int:
        """Cancel the export of a window; returns how many were cancelled."""
        with self.lock:
            job = self.jobs.get(window)
        if job is not None:
            job.cancel()
        return int(job is not None)

    def reported(self, window: str) -> dict[str, int] | None:
        """The number of photos of a window's export that are written; None: no export is running."""
        with self.lock:
            job = self.jobs.get(window)
        return None if job is None else {"done": job.photos_done, "photos": job.photos}

    def close(self) -> None:
        with self.lock:
            jobs = list(self.jobs.values())
        for job in jobs:
            job.cancel()
        self.pool.shutdown()

    def write(self, job: ExportJob, kind: str, keys: Sequence[str], folder: Path, only: str) -> Export:
        left_out: list[str] = []
        photos = self.photos(job, keys, only, left_out)
        try:
            return export_photos(kind, photos, folder, left_out)
        except CancelledError:
            raise StoppedError("cancelled") from None

    def photos(self, job: ExportJob, keys: Sequence[str], only: str, left_out: list[str]) -> Iterator[ExportedPhoto]:
        """Photos that have objects. If one of several is missing, or has changed, `left_out` names it."""
        for key in keys:
            job.checkpoint()
            photo = self.library[key]
            objects = [one for one in self.session.state(photo).objects if one.mask]
            wanted = [one for one in objects if only in ("", one.key)]
            if only and not wanted:
                raise InputError(f"object {only!r}: {photo.name} has none of this key that has a mask")
            if wanted:
                try:
                    photo.check_content()
                except (InputError, OSError) as error:
                    if len(keys) == 1:
                        raise
                    left_out.append(f"{photo.name}: {self.library.relative(str(error))}")
                    continue
                yield ExportedPhoto(
                    photo,
                    lambda: self.pixels(photo),  # noqa: B023
                    wanted,
                    lambda one: self.soft_edge(job, photo, one),  # noqa: B023
                    objects.index(wanted[0]) + 1 if only and len(objects) > 1 else 0,
                )
            job.photos_done += 1

    def pixels(self, photo: LibraryPhoto) -> NDArray[np.uint8]:
        return read_image(photo.path, max_pixels=self.max_pixels)

    def soft_edge(self, job: ExportJob, photo: LibraryPhoto, one: SegmentedObject) -> SoftMask | None:
        prompts = prompts_of(one.reported(), photo)
        work = lambda: self.segmenter.soft_edge(photo, prompts, one.runs(photo))  # noqa: E731
        label = f"Cutting out {one.name}"
        future: Future[SoftMask | None] = self.worker.submit(work, urgency=VIEW, kind="edge", label=label, owner=job.window)
        while True:
            try:
                return future.result(CANCEL_SECONDS)
            except FutureTimeoutError:
                if job.stop.is_set():
                    self.worker.cancel_future(future)
                    raise StoppedError("cancelled") from None
