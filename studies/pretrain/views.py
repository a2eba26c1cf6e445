"""From pictures in memory to what the model sees: a part, turned, mirrored, recoloured, perhaps with something pasted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from basam.files import require
from basam.masks import tight_box
from studies.pretrain.sources import Source

# Smallest visible object that is prompted for, in pixels of the view.
SMALLEST = 64
# Smallest object that a view is centred on, in pixels of the picture: smaller ones are a blur when enlarged.
SMALLEST_FOCUSED = 150


class View(NamedTuple):
    """image `(H, W, 3)` uint8 and masks `(n, H, W)` bool, each of at least `SMALLEST` pixels."""

    image: np.ndarray
    masks: np.ndarray


def draw_view(sources: list[Source], height: int, width: int, generator: np.random.Generator) -> View:
    """A random view of height x width pixels that shows at least one object."""
    shares = np.array([source.share for source in sources])
    while True:
        kind = generator.random()
        if kind < 0.12:
            view = quilt(sources, shares, height, width, generator)
        else:
            draw = focused if kind < 0.57 else single
            view = draw(pick(sources, shares, generator), height, width, generator)
            # An object of another picture in front, whatever the view: photographs are few, and their backgrounds get known.
            if len(view.masks) and generator.random() < 0.3:
                view = pasted(view, single(pick(sources, shares, generator), height, width, generator), generator)
        if len(view.masks):
            return View(coloured(view.image, generator), view.masks)


def pick(sources: list[Source], shares: np.ndarray, generator: np.random.Generator) -> Source:
    return sources[generator.choice(len(sources), p=shares / shares.sum())]


def single(source: Source, height: int, width: int, generator: np.random.Generator) -> View:
    """A part of one picture: often all of it, else a crop; slightly turned, mirrored."""
    cv2 = require("cv2", "tune")
    index = int(generator.integers(len(source.images)))
    image, masks = source.images[index], source.masks[index]
    tall, wide = image.shape[:2]
    # One scale for both axes, so that shapes keep their aspect; a whole picture fits or fills the view.
    whole = generator.random() < 0.5
    fit, fill = min(height / tall, width / wide), max(height / tall, width / wide)
    scale = generator.uniform(fit, fill) if whole else fill * np.exp(generator.uniform(0, np.log(2.5)))
    turn, flip = rotation(0.6, generator), mirror(generator)
    stretch = np.exp(generator.normal(0, 0.08))
    a = scale * turn @ np.diag([flip * stretch, 1 / stretch])
    # The part's centre is drawn so that the view stays inside the picture where it can.
    slack = np.maximum(0, np.array([wide - width / scale, tall - height / scale])) / 2
    centre = np.array([wide, tall]) / 2 + generator.uniform(-1, 1, 2) * slack
    return placed(image, masks, a, centre, (width, height), cv2)


def focused(source: Source, height: int, width: int, generator: np.random.Generator) -> View:
    """One object near the middle of a part of 1.4 to 4 times its box: what a model sees of a prompt's region."""
    cv2 = require("cv2", "tune")
    index = int(generator.integers(len(source.images)))
    image, masks = source.images[index], source.masks[index]
    if masks.ndim == 2:
        numbers = np.unique(masks)[1:]  # 0 is the background
        masks = np.asarray(masks)[None] == numbers[:, None, None]
    masks = large(masks, SMALLEST_FOCUSED)
    if not len(masks):
        return View(np.zeros((height, width, 3), np.uint8), np.empty((0, height, width), bool))
    mask = masks[generator.integers(len(masks))]
    x0, y0, x1, y1 = tight_box(mask)
    side = max(x1 - x0, y1 - y0)
    scale = min(3.0, max(height, width) / (side * np.exp(generator.uniform(np.log(1.4), np.log(4)))))
    a = scale * rotation(0.5, generator) @ np.diag([mirror(generator), 1.0])
    centre = np.array([x0 + x1, y0 + y1]) / 2 + generator.normal(0, 0.1, 2) * side
    return placed(image, mask[None], a, centre, (width, height), cv2)


def rotation(chance: float, generator: np.random.Generator) -> np.ndarray:
    """With this chance a turn by some 8 degrees, else none: `(2, 2)`."""
    turn = np.deg2rad(generator.normal(0, 8)) if generator.random() < chance else 0.0
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def mirror(generator: np.random.Generator) -> float:
    return -1.0 if generator.random() < 0.5 else 1.0


def placed(image: np.ndarray, masks: np.ndarray, a: np.ndarray, centre: np.ndarray, size: tuple[int, int], cv2: Any) -> View:
    """Picture and masks after the linear map `a`, `centre` of the picture in the middle of a view of `size` (width, height)."""
    matrix = np.column_stack([a, np.array(size) / 2 - a @ centre])
    shown = cv2.warpAffine(np.ascontiguousarray(image), matrix, size, flags=cv2.INTER_LINEAR, borderValue=(124, 116, 104))
    return View(shown, warped(masks, matrix, size, cv2))


def warped(masks: np.ndarray, matrix: np.ndarray, size: tuple[int, int], cv2: Any) -> np.ndarray:
    """Masks or labels in the view, those that are large enough."""
    if masks.ndim == 2:
        labels = cv2.warpAffine(np.ascontiguousarray(masks), matrix, size, flags=cv2.INTER_NEAREST)
        areas = np.bincount(labels.ravel())
        numbers = [number for number in range(1, len(areas)) if areas[number] >= SMALLEST]
        return np.stack([labels == number for number in numbers]) if numbers else np.empty((0, size[1], size[0]), bool)
    # 0 and 1 are interpolated and rounded: a pixel is in where at least half of it is.
    shown = [cv2.warpAffine(mask.view(np.uint8), matrix, size, flags=cv2.INTER_LINEAR) for mask in masks]
    return large(np.stack(shown).view(bool))


def large(masks: np.ndarray, smallest: int = SMALLEST) -> np.ndarray:
    """Those masks that have at least so many pixels."""
    return masks[[np.count_nonzero(mask) >= smallest for mask in masks]]


def pasted(view: View, other: View, generator: np.random.Generator) -> View:
    """An object of another picture put over this one."""
    if not len(other.masks):
        return view
    mask = other.masks[generator.integers(len(other.masks))]
    if mask.mean() > 0.5:
        return view
    cv2 = require("cv2", "tune")
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
    image = (view.image * (1 - alpha) + other.image * alpha).astype(np.uint8)
    return View(image, large(np.concatenate([view.masks & ~mask, mask[None]])))


def quilt(sources: list[Source], shares: np.ndarray, height: int, width: int, generator: np.random.Generator) -> View:
    """Four pictures side by side: small objects, and more than one scene."""
    half_height, half_width = height // 2, width // 2
    image, masks = np.empty((height, width, 3), np.uint8), []
    for row in range(2):
        for column in range(2):
            place = np.s_[row * half_height : (row + 1) * half_height, column * half_width : (column + 1) * half_width]
            view = single(pick(sources, shares, generator), half_height, half_width, generator)
            image[place] = view.image
            for mask in view.masks:
                whole = np.zeros((height, width), bool)
                whole[place] = mask
                masks.append(whole)
    return View(image, np.stack(masks) if masks else np.empty((0, height, width), bool))


def coloured(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and channels changed at random, sometimes blurred."""
    cv2 = require("cv2", "tune")
    if generator.random() < 0.15:
        image = image[..., generator.permutation(3)]
    if generator.random() < 0.6:
        saturation = 0.0 if generator.random() < 0.1 else generator.uniform(0.6, 1.4)
        contrast, brightness = generator.uniform(0.7, 1.3), generator.uniform(-35, 35)
        channels = contrast * (saturation * np.eye(3) + (1 - saturation) / 3)
        offset = np.full((3, 1), 128 * (1 - contrast) + brightness)
        image = cv2.transform(np.ascontiguousarray(image), np.hstack([channels, offset]))
    if generator.random() < 0.1:
        image = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), generator.uniform(0.5, 1.2))
    return image
