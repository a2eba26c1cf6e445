"""Ways of encoding an image for its prompts, each from the photograph to masks at its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import basam
from basam.predict import Region
from studies.focus_study.situations import Task

OVERLAP = 1 / 4  # of the side of tiles


def whole(predictor: basam.Predictor, task: Task, long_side: int | None) -> Iterator[np.ndarray]:
    """The whole image is encoded once; `long_side` in pixels, None: its own."""
    predictor.set_image(task.image, long_side=long_side)
    for prompt in task.prompts:
        yield predictor.predict(**prompt, multimask_output=False)[0][0]


def squeezed(predictor: basam.Predictor, task: Task) -> Iterator[np.ndarray]:
    return whole(predictor, task, predictor.attachment.geometry.image_size)


def native_plain(predictor: basam.Predictor, task: Task) -> Iterator[np.ndarray]:
    predictor.mode = basam.BiasMode.off()
    return whole(predictor, task, None)


def native_corrected(predictor: basam.Predictor, task: Task) -> Iterator[np.ndarray]:
    """By the published method."""
    predictor.mode = basam.BiasMode()
    return whole(predictor, task, None)


def focused(predictor: basam.Predictor, task: Task, **changes: Any) -> Iterator[np.ndarray]:
    """The region of each prompt; without a prompt that of the object found at the trained size."""
    predictor.set_image(task.image, long_side=predictor.attachment.geometry.image_size)
    focus = replace(predictor.focus, **changes)
    height, width = task.image.shape[:2]
    for prompt in task.prompts:
        if prompt["box"] is not None and tuple(prompt["box"]) == (0, 0, width, height):
            _, _, low_res = predictor.predict(**prompt, multimask_output=False)
            yield predictor.predict(mask_input=low_res, multimask_output=False, focus=focus)[0][0]
        else:
            yield predictor.predict(**prompt, multimask_output=False, focus=focus)[0][0]


def focused_scales(predictor: basam.Predictor, task: Task) -> Iterator[np.ndarray]:
    return focused(predictor, task, click="scales", margin=0.0)


def focused_coarse(predictor: basam.Predictor, task: Task) -> Iterator[np.ndarray]:
    return focused(predictor, task, click="coarse")


def focused_twice(predictor: basam.Predictor, task: Task) -> Iterator[np.ndarray]:
    """`focused`, then once more on the same region with its own mask as prompt beside the first one."""
    predictor.set_image(task.image, long_side=predictor.attachment.geometry.image_size)
    for prompt in task.prompts:
        _, _, low_res = predictor.predict(**prompt, multimask_output=False, focus=True)
        yield predictor.predict(**prompt, mask_input=low_res, multimask_output=False, focus=True)[0][0]


def tiles_of(height: int, width: int, side: int) -> list[Region]:
    """Squares of `side` px that cover an image, evenly spaced, that overlap by OVERLAP of it at least."""

    shared = round(OVERLAP * side)

    def starts(length: int) -> Iterable[int]:
        if length <= side:
            return [0]
        count = -(-(length - shared) // (side - shared))
        return [round(index * (length - side) / (count - 1)) for index in range(count)]

    return [Region(left, top, side) for top in starts(height) for left in starts(width)]


def tiled(predictor: basam.Predictor, task: Task) -> Iterator[np.ndarray]:
    """Overlapping tiles of the trained size at the image's own pixels, those that a prompt touches.

    A box is cut to each tile, and the logits of tiles are averaged where they overlap; a click is answered by the tile whose
    middle it is nearest to.
    """
    side = predictor.attachment.geometry.image_size
    predictor.set_image(task.image, long_side=side)
    height, width = task.image.shape[:2]
    tiles = tiles_of(height, width, side)
    for prompt in task.prompts:
        total, count = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
        for tile, of_tile in touched(prompt, tiles, height, width):
            rows, columns = tile.inside(height, width)
            logits = predictor.predict(**of_tile, multimask_output=False, return_logits=True, focus=tile)[0][0]
            total[rows, columns] += logits[rows, columns]
            count[rows, columns] += 1
        yield (total > 0) & (count > 0)


def touched(prompt: dict[str, Any], tiles: list[Region], height: int, width: int) -> Iterator[tuple[Region, dict[str, Any]]]:
    """The tiles that a prompt is answered on, each with the prompt as it is there."""
    box, points = prompt["box"], prompt["point_coords"]
    if box is None:
        assert points is not None
        middles = [np.array([tile.left, tile.top]) + tile.side / 2 for tile in tiles]
        nearest = min(range(len(tiles)), key=lambda index: np.abs(points[0] - middles[index]).max())
        yield tiles[nearest], {"point_coords": points, "point_labels": prompt["point_labels"]}
        return
    for tile in tiles:
        rows, columns = tile.inside(height, width)
        low = np.maximum(box[:2], [columns.start, rows.start])
        high = np.minimum(box[2:], [columns.stop, rows.stop])
        if (high - low >= 1).all():
            yield tile, {"box": np.concatenate([low, high])}


Way = Callable[[basam.Predictor, Task], Iterator[np.ndarray]]
WAYS: dict[str, Way] = {
    "whole, trained size": squeezed,
    "whole, its own size, plain": native_plain,
    "whole, its own size, corrected": native_corrected,
    "overlapping tiles of the trained size": tiled,
    "focus": focused,
}
OF_BOXES: dict[str, Way] = {"focus, then with its own mask": focused_twice}
# Beside those of all situations: other rules for clicks.
OF_CLICKS: dict[str, Way] = {"focus, rule coarse": focused_coarse, "focus, rule scales": focused_scales}
