"""From pictures in memory to what the model sees: a part, turned, mirrored, coloured anew, perhaps with something pasted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from basam.files import require
from studies.pretrain.sources import Source

# Smallest visible object that is asked for, in pixels of the view.
SMALLEST = 64


class View(NamedTuple):
    """image `(H, W, 3)` uint8 and masks `(n, H, W)` bool, each of at least `SMALLEST` pixels."""

    image: np.ndarray
    masks: np.ndarray


def draw_view(sources: list[Source], height: int, width: int, generator: np.random.Generator) -> View:
    """A random view of height x width pixels that shows at least one object."""
    shares = np.array([source.share for source in sources])
    while True:
        kind = generator.random()
        if kind < 0.18:
            view = quilt(sources, shares, height, width, generator)
        else:
            view = single(pick(sources, shares, generator), height, width, generator)
            if kind < 0.38:
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
    turn = np.deg2rad(generator.normal(0, 8)) if generator.random() < 0.6 else 0.0
    mirror = -1.0 if generator.random() < 0.5 else 1.0
    stretch = np.exp(generator.normal(0, 0.08))
    a = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    a = a @ np.diag([mirror * stretch, 1 / stretch])
    # The part's centre is drawn so that the view stays inside the picture where it can.
    slack = np.maximum(0, np.array([wide - width / scale, tall - height / scale])) / 2
    centre = np.array([wide, tall]) / 2 + generator.uniform(-1, 1, 2) * slack
    matrix = np.column_stack([a, np.array([width, height]) / 2 - a @ centre])
    size = (width, height)
    shown = cv2.warpAffine(np.ascontiguousarray(image), matrix, size, flags=cv2.INTER_LINEAR, borderValue=(124, 116, 104))
    return View(shown, warped(masks, matrix, size, cv2))


def warped(masks: np.ndarray, matrix: np.ndarray, size: tuple[int, int], cv2: Any) -> np.ndarray:
    """Masks or labels in the view, those that are large enough."""
    if masks.ndim == 2:
        labels = cv2.warpAffine(np.ascontiguousarray(masks), matrix, size, flags=cv2.INTER_NEAREST)
        areas = np.bincount(labels.ravel())
        numbers = [number for number in range(1, len(areas)) if areas[number] >= SMALLEST]
        return np.stack([labels == number for number in numbers]) if numbers else np.empty((0, size[1], size[0]), bool)
    shown = [cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, size, flags=cv2.INTER_LINEAR) > 127 for mask in masks]
    return large(np.stack(shown))


def large(masks: np.ndarray) -> np.ndarray:
    return masks[masks.sum((1, 2)) >= SMALLEST]


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
        pixels = image.astype(np.float32)
        grey = pixels.mean(-1, keepdims=True)
        saturation = 0.0 if generator.random() < 0.1 else generator.uniform(0.6, 1.4)
        pixels = grey + saturation * (pixels - grey)
        pixels = (pixels - 128) * generator.uniform(0.7, 1.3) + 128 + generator.uniform(-35, 35)
        image = np.clip(pixels, 0, 255).astype(np.uint8)
    if generator.random() < 0.1:
        image = cv2.GaussianBlur(image, (0, 0), generator.uniform(0.5, 1.2))
    return image
