"""What nano is trained on, held in memory: generated scenes and photographs with the masks of their objects."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from basam.errors import FileError, InputError
from basam.files import locked, replacing, require, to_rgb
from basam.lab import end_with_parent
from basam.lab.data import SampleError, open_dataset
from basam.lab.scenes import DOMAINS, render

# Scenes for training take seeds below this; whatever measures takes others.
FIRST_UNSEEN_SEED = 1_000_000
# Long side of photographs in memory: crops of a part of them are still sharp at 256 px.
LONG_SIDE = 640
# Scenes are kept on the disk in files of so many while they are rendered: what a killed process loses at most.
SCENES_PER_FILE = 200
Read = TypeVar("Read")


@dataclass(frozen=True, eq=False)
class Source:
    """Pictures of one kind.

    Attributes:
        name: for messages and settings.
        images: `(H, W, 3)` uint8 each.
        masks: `(n, H, W)` bool of each, or `(H, W)` uint8 labels of disjoint objects counted from 1.
        share: of the pictures of a batch.
    """

    name: str
    images: Sequence[np.ndarray]
    masks: Sequence[np.ndarray]
    share: float


def scene_source(cache: Path, count: int, size: int, share: float, workers: int) -> Source:
    """`count` scenes of all domains in turn, rendered once into `cache` (two arrays, read from the disk as needed).

    Of several processes one renders and the others wait for it; rendering that was killed resumes.

    Raises:
        OSError: `cache` cannot be written, or what lies there is damaged.
    """
    name = f"scenes-{count}-{size}"
    files = cache / f"{name}-images.npy", cache / f"{name}-labels.npy"
    cache.mkdir(parents=True, exist_ok=True)
    lock = cache / f"{name}.lock"
    with lock.open("ab") as opened, locked(opened, lock):  # the system releases it when a process dies
        if not all(file.is_file() for file in files):
            render_scenes(cache / f"{name}.partial", *files, count, size, workers)
    images, labels = (whole(file, lambda file: np.load(file, mmap_mode="r")) for file in files)
    for file, array, shape in zip(files, (images, labels), ((count, size, size, 3), (count, size, size)), strict=True):
        if array.shape != shape or array.dtype != np.uint8:
            raise damaged(file, f"it holds {array.dtype} of shape {array.shape}")
    return Source("scenes", images, labels, share)


def whole(file: Path, read: Callable[[Path], Read]) -> Read:
    """What `read` makes of a file of scenes; one that it cannot read is damaged."""
    try:
        return read(file)
    except Exception as error:  # numpy's readers raise many kinds of a file that is cut short
        raise damaged(file, str(error) or type(error).__name__) from error


def damaged(file: Path, why: str) -> FileError:
    return FileError(f"{file} is damaged ({why}): remove it, and the same command renders these scenes again")


def render_scenes(partial: Path, images_file: Path, labels_file: Path, count: int, size: int, workers: int) -> None:
    """Render into the folder `partial`, some hundred scenes a file, then join the files into two arrays."""
    partial.mkdir(exist_ok=True)
    parts = {first: partial / f"{first:08}.npz" for first in range(0, count, SCENES_PER_FILE)}
    # Fresh processes: this one may have threads (torch, OpenCV), which a fork would copy in an undefined state.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        for first, part in parts.items():
            seeds = range(first, min(first + SCENES_PER_FILE, count))
            if not part.is_file():
                images, labels = zip(*pool.map(draw_scene, ((seed, size) for seed in seeds), chunksize=16), strict=True)
                with replacing(part) as path:
                    np.savez(path, images=np.stack(images), labels=np.stack(labels))
            print(f"{seeds.stop} of {count} scenes are rendered", file=sys.stderr, flush=True)
    with replacing(images_file) as images_path, replacing(labels_file) as labels_path:
        write_joined(images_path, (count, size, size, 3), drawn(parts.values(), "images"))
        write_joined(labels_path, (count, size, size), drawn(parts.values(), "labels"))
    shutil.rmtree(partial)


def drawn(parts: Iterable[Path], name: str) -> Iterator[np.ndarray]:
    """An array of each file of rendered scenes, one after the other."""

    def read(part: Path) -> np.ndarray:
        with np.load(part) as arrays:
            array: np.ndarray = arrays[name]
        return array

    return (whole(part, read) for part in parts)


def write_joined(path: Path, shape: tuple[int, ...], arrays: Iterable[np.ndarray]) -> None:
    """A `.npy` file of arrays of uint8 behind each other: written, not mapped, so that a full disk is an error."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for array in arrays:
            file.write(array.tobytes())


def draw_scene(task: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Image and labels of scene `seed`; domains take turns."""
    seed, size = task
    domain = DOMAINS[seed % len(DOMAINS)]
    scene = render(seed // len(DOMAINS), size, domain)
    labels = np.zeros((size, size), np.uint8)
    for number, mask in enumerate(scene.masks, 1):
        labels[mask] = number
    return scene.image, labels


def photo_source(kind: str, root: Path, split: str, share: float, *, starts: tuple[str, ...] = ()) -> Source:
    """The training photographs of a data set whose file names begin with one of `starts`, reduced to `LONG_SIDE`.

    Raises:
        DatasetError: no such data set or split.
        ValueError: a split that results are reported on, or none of its photographs is taken.
    """
    cv2 = single_threaded_cv2()
    dataset = open_dataset(kind, root, split)
    if dataset.role != "train":
        raise InputError(f"{dataset.title} is no training split ({dataset.role}): nothing may be trained on it")
    images, masks = [], []
    for sample in dataset:
        if starts and not sample.image_path.name.startswith(starts):
            continue
        try:
            loaded = sample.load()
        except SampleError:
            continue
        image = to_rgb(loaded.image)
        height, width = image.shape[:2]
        scale = min(1.0, LONG_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        masks.append(np.stack(list(reduced((one.mask for one in loaded.instances), size, cv2))))
    if not images:
        raise InputError(f"{dataset.title}: no photograph begins with {', '.join(starts)}")
    return Source(dataset.title, images, masks, share)


def single_threaded_cv2() -> Any:
    """OpenCV with one thread, since batches have a process for every core. To be asked for before its first use: a process
    that is forked from one with threads of OpenCV waits for them for ever when it is told to have one only."""
    cv2 = require("cv2", "tune")
    cv2.setNumThreads(1)
    return cv2


def reduced(masks: Iterable[np.ndarray], size: tuple[int, int], cv2: Any) -> Iterable[np.ndarray]:
    """Masks at `size` (width, height): a pixel belongs to one that covers at least half of it."""
    for mask in masks:
        yield cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
