"""What nano is trained on, held in memory: generated scenes and photographs with the masks of their objects."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from basam.data import SampleError, open_dataset
from basam.files import replacing, require, to_rgb
from basam.scenes import DOMAINS, render

# Scenes for training take seeds below this; whatever measures takes others.
FIRST_UNSEEN_SEED = 1_000_000
# Long side of photographs in memory: crops of a part of them are still sharp at 256 px.
LONG_SIDE = 640
# Scenes are kept on the disk in files of so many while they are rendered: what a killed process loses at most.
SCENES_PER_FILE = 200


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
        OSError: `cache` cannot be written.
    """
    name = f"scenes-{count}-{size}"
    images_file, labels_file = cache / f"{name}-images.npy", cache / f"{name}-labels.npy"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{name}.lock"):  # the system releases it when a process dies
        if not images_file.is_file():  # the one that appears last
            render_scenes(cache / f"{name}.partial", images_file, labels_file, count, size, workers)
    return Source("scenes", np.load(images_file, mmap_mode="r"), np.load(labels_file, mmap_mode="r"), share)


def render_scenes(partial: Path, images_file: Path, labels_file: Path, count: int, size: int, workers: int) -> None:
    """Render into the folder `partial`, some hundred scenes a file, then join the files into two arrays."""
    partial.mkdir(exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        for first in range(0, count, SCENES_PER_FILE):
            part = partial / f"{first:08}.npz"
            if not part.is_file():
                seeds = range(first, min(first + SCENES_PER_FILE, count))
                images, labels = zip(*pool.map(draw_scene, ((seed, size) for seed in seeds), chunksize=16), strict=True)
                with replacing(part) as path:
                    np.savez(path, images=np.stack(images), labels=np.stack(labels))
    with replacing(images_file) as images_path, replacing(labels_file) as labels_path:
        all_images = np.lib.format.open_memmap(images_path, "w+", np.uint8, (count, size, size, 3))
        all_labels = np.lib.format.open_memmap(labels_path, "w+", np.uint8, (count, size, size))
        for first in range(0, count, SCENES_PER_FILE):
            with np.load(partial / f"{first:08}.npz") as drawn:
                all_images[first : first + SCENES_PER_FILE] = drawn["images"]
                all_labels[first : first + SCENES_PER_FILE] = drawn["labels"]
        all_images.flush(), all_labels.flush()
    shutil.rmtree(partial)


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
    cv2 = require("cv2", "tune")
    dataset = open_dataset(kind, root, split)
    if dataset.role != "train":
        raise ValueError(f"{dataset.title} is no training split ({dataset.role}): nothing may be trained on it")
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
        raise ValueError(f"{dataset.title}: no photograph begins with {', '.join(starts)}")
    return Source(dataset.title, images, masks, share)


def reduced(masks: Iterable[np.ndarray], size: tuple[int, int], cv2: object) -> Iterable[np.ndarray]:
    """Masks at `size` (width, height): a pixel belongs to one that covers at least half of it."""
    for mask in masks:
        yield cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5  # type: ignore[attr-defined]
