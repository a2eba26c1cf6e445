"""Write scenes into the folders of a data set, with several processes; a run that was stopped resumes.

Files appear under their names only when they are complete. The image comes last, so a scene is there when its image is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from basam.checks import path_of, whole_number
from basam.errors import InputError, OccupiedError
from basam.files import encoded, json_of, read_json, write_bytes
from basam.lab import end_with_parent
from basam.lab.data import MARKER
from basam.lab.scenes.annotations import CATEGORIES, annotations_of
from basam.lab.scenes.canvas import Scene
from basam.lab.scenes.folders import DATA_SETS, Folders, folders_of, seeds_of
from basam.lab.scenes.rendering import check, render

JPEG = {"quality": 95, "subsampling": 0}


def write_scenes(
    out: str | Path,
    domain: str,
    count: int,
    size: int,
    seed: int = 0,
    split: str = "train",
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, int]:
    """Write scenes in the layout of the domain's data set.

    Args:
        out: the data set's root folder; made where it does not exist.
        domain, size: as for `render`.
        count, seed: how many scenes, and the number of the first within its split.
        split: `train`, `val`, `test` or the data set's own name, such as `DIS-TE1`.
        workers: processes that render at the same time.
        progress: called with the number of finished scenes after every scene.

    Returns:
        How many scenes were written, and how many were there already.

    Raises:
        ValueError: an argument is out of its range, or `out` holds scenes of another size.
        OSError: `out` cannot be written.
    """
    folders = folders_of(domain, split)
    whole_number(seed, "seed", 0)
    whole_number(count, "count", 1)
    whole_number(workers, "workers", 1)
    seeds = seeds_of(folders, seed, count)
    check(seeds[0], size, domain)
    root = path_of(out, "out")
    if root.is_file():
        raise OccupiedError(f"{root} is a file: give a folder, or a name that is not taken")
    marker = root / MARKER
    if not marker.is_file():
        root.mkdir(parents=True, exist_ok=True)
        write_bytes(
            marker, json.dumps({"name": f"generated-{DATA_SETS[domain].replace(' ', '')}", "made by": "basam scenes"}).encode()
        )
    for path in (folders.image(root, 0), folders.mask(root, 0)):
        path.parent.mkdir(parents=True, exist_ok=True)
    listed = _listed(root, folders)
    missing = [s for s in seeds if not _complete(root, folders, s, size, listed)]
    existing = count - len(missing)
    if progress:
        progress(existing)
    for done, _ in enumerate(_written(root, folders, missing, size, workers), existing + 1):
        if progress:
            progress(done)
    if not folders.masks:
        _merge(root, folders, listed, size)
    return len(missing), existing


def _written(root: Path, folders: Folders, seeds: list[int], size: int, workers: int) -> Iterator[None]:
    workers = min(workers, len(seeds))
    if workers <= 1:
        for seed in seeds:
            _write(root, folders, seed, size)
            yield
        return
    # Fresh processes: the caller may have threads (a progress bar, torch), which a fork would copy in an undefined state.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        futures = [pool.submit(_write, root, folders, seed, size) for seed in seeds]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _write(root: Path, folders: Folders, seed: int, size: int) -> None:
    scene = render(seed, size, folders.domain)
    if folders.masks:
        write_bytes(folders.mask(root, seed), encoded(Image.fromarray(union(scene)), "PNG"))
    else:
        write_bytes(folders.mask(root, seed), json.dumps(annotations_of(scene, seed)).encode())
    write_bytes(folders.image(root, seed), encoded(Image.fromarray(scene.image), "JPEG", **JPEG))


def union(scene: Scene) -> np.ndarray:
    """All instances as one mask, (size, size) uint8 of 0 and 255."""
    return np.where(scene.masks.any(axis=0), np.uint8(255), np.uint8(0))


def _complete(root: Path, folders: Folders, seed: int, size: int, listed: dict[str, Any]) -> bool:
    """Whether image and mask of a scene are there; ValueError where they have another size."""
    path = folders.image(root, seed)
    if not path.exists() or not (folders.mask(root, seed).exists() or seed in listed["seeds"]):
        return False
    with Image.open(path) as image:
        if image.size != (size, size):
            raise InputError(f"{path} has {image.size[0]} x {image.size[1]} pixels, not {size} x {size}: choose another folder")
    return True


def _listed(root: Path, folders: Folders) -> dict[str, Any]:
    """COCO's JSON as it is so far, and the seeds in it."""
    path = root / folders.annotations
    known: dict[str, Any] = {"images": [], "annotations": []}
    if not folders.masks and path.exists():
        known = read_json(path)
    return known | {"seeds": {image["id"] for image in known["images"]}}


def _merge(root: Path, folders: Folders, listed: dict[str, Any], size: int) -> None:
    """Add the fragments to COCO's JSON, in the order of the images' ids, and delete them."""
    fragments = sorted((root / folders.fragments).glob("[0-9]*.json"))
    images = {image["id"]: image for image in listed["images"]}
    annotations = {annotation["id"]: annotation for annotation in listed["annotations"]}
    for fragment in fragments:
        seed = int(fragment.stem)
        if folders.image(root, seed).exists():
            name = folders.image_name.format(seed=seed)
            images[seed] = {"id": seed, "file_name": name, "height": size, "width": size}
            annotations |= {annotation["id"]: annotation for annotation in json_of(fragment)}
    data = {
        "info": {"description": "generated by basam scenes"},
        "images": [images[key] for key in sorted(images)],
        "annotations": [annotations[key] for key in sorted(annotations)],
        "categories": [{"id": number, "name": name} for name, number in sorted(CATEGORIES.items(), key=lambda item: item[1])],
    }
    write_bytes(root / folders.annotations, json.dumps(data).encode())
    for fragment in (*fragments, *(root / folders.fragments).glob(".*.partial.*")):
        fragment.unlink()
    (root / folders.fragments).rmdir()
