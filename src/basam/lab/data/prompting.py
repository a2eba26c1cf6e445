"""Prompts made from the ground truth, the same in every run: they depend on the seed, the sample and the instance only.

Coordinates are pixels of the original image in Meta's convention: points are (x, y) = (column, row) of a pixel, boxes are
(x0, y0, x1, y1) with x0, y0 the first column and row of the object and x1, y1 one past its last.

    spec = PromptSpec.parse("k-points:3+1")
    prompt = make_prompt(spec, instance.mask, seed=0, sample_id=sample.id, instance_id=instance.id)
    masks, scores, _ = predictor.predict(**prompt.arguments())

| kind | what it is |
|---|---|
| `gt-box` | the tight box of the mask |
| `noisy-box[:SHARE]` | each side of that box moved by a normal deviate of SHARE (0.1) of the box's side, clipped to the image |
| `gt-point` | centre of the largest circle inscribed in the mask and the image |
| `random-point` | one pixel of the mask, all equally likely |
| `k-points:P[+N]` | P (3) pixels of the mask and N (0) of its surroundings, see `background_near` |
| `none` | the box of the whole image |

`none` is a box because SAM has no answer without a prompt: its decoder was never trained on an empty one, and the grid of
points that people use instead gives hundreds of masks of which one must be picked with the ground truth. The box of the
whole image is the box of the main object, costs one decoding and needs no ground truth.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.arrays import check_mask
from basam.errors import InputError
from basam.files import require
from basam.lab.data.prompt_spec import PromptSpec
from basam.masks import tight_box


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt in pixels of the image: `box` (4,), or `points` (P, 2) as x, y with `labels` (P,) of 1 and 0."""

    box: np.ndarray | None = None
    points: np.ndarray | None = None
    labels: np.ndarray | None = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `Predictor.predict`."""
        return {"box": self.box, "point_coords": self.points, "point_labels": self.labels}


def make_prompt(
    spec: PromptSpec,
    mask: NDArray[np.bool_],
    *,
    seed: int,
    sample_id: str,
    instance_id: str,
    ignored: NDArray[np.bool_] | None = None,
) -> Prompt:
    """The prompt of one instance with ground truth `mask` (H, W) bool; no point is set on `ignored` pixels (same shape).

    The random kinds draw from a generator of their own, seeded by the arguments and the kind, so that neither the order
    of samples nor the number of processes changes a prompt.

    Raises:
        ValueError: the mask has no pixel, or is no two-dimensional bool array.
    """
    check_mask(mask)
    if not mask.any():
        raise InputError(f"instance {instance_id} of {sample_id}: its mask has no pixel, so no prompt can be made")
    if ignored is not None and ignored.shape != mask.shape:
        raise InputError(f"ignored of shape {ignored.shape}: that of the mask, {mask.shape}, is needed")
    generator = _generator(str(seed), spec.kind, sample_id, instance_id)
    if spec.kind == "none":
        return Prompt(box=np.array([0.0, 0.0, mask.shape[1], mask.shape[0]]))
    if spec.kind == "gt-box":
        return Prompt(box=tight_box(mask))
    if spec.kind == "noisy-box":
        return Prompt(box=_moved(tight_box(mask), spec.noise, mask.shape, generator))
    if spec.kind == "gt-point":
        return _points(inscribed_centre(mask)[None], positives=1)
    positives = spec.positives if spec.kind == "k-points" else 1
    negatives = spec.negatives if spec.kind == "k-points" else 0
    inside = _pick(mask, positives, generator)
    outside = _pick(background_near(mask, ignored), negatives, generator)
    return _points(np.concatenate([inside, outside]), positives=len(inside))


def inscribed_centre(mask: NDArray[np.bool_]) -> np.ndarray:
    """Pixel farthest from everything outside mask and image, (2,) x, y: centre of the largest inscribed circle.

    The distance is exact. Of several such pixels it is the one nearest to their mean, so that the centre of a bar is not
    at one of its ends.

    Raises:
        ValueError: the mask has no pixel.
    """
    cv2 = require("cv2", "evaluate")
    x0, y0, x1, y1 = tight_box(mask).astype(int)
    inside = np.pad(mask[y0:y1, x0:x1], 1).astype(np.uint8)  # the rim counts as outside
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Roots of equal squares differ in their last bit between builds of OpenCV, and with where the image lies in memory. Squares
    # of distances between pixels are whole numbers, and found again from float32 up to distances of 2000.
    squares = np.rint(np.square(distance, dtype=np.float64))
    farthest = np.argwhere(squares == squares.max())[:, ::-1]  # x, y
    nearest = np.square(farthest - farthest.mean(axis=0)).sum(axis=1).argmin()
    return farthest[nearest] + [x0 - 1, y0 - 1]


def background_near(mask: np.ndarray, ignored: np.ndarray | None = None) -> np.ndarray:
    """Where a user would click for "not this", (H, W) bool.

    The pixels outside the mask within its box grown by half its side on each side; where that holds none, those of the
    whole image; none at all where the mask fills the image. `ignored` pixels (H, W) are none of them.
    """
    x0, y0, x1, y1 = tight_box(mask)
    grow_x, grow_y = (x1 - x0) / 2, (y1 - y0) / 2
    near = np.zeros_like(mask)
    near[max(0, int(y0 - grow_y)) : int(np.ceil(y1 + grow_y)), max(0, int(x0 - grow_x)) : int(np.ceil(x1 + grow_x))] = True
    outside = ~mask if ignored is None else ~(mask | ignored)
    near &= outside
    return near if near.any() else outside


def _points(points: np.ndarray, positives: int) -> Prompt:
    labels = np.zeros(len(points), dtype=np.int64)
    labels[:positives] = 1
    return Prompt(points=points.astype(np.float64), labels=labels)


def _pick(region: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """`count` different pixels of `region`, (count, 2) x, y; with repetition where it has fewer, none where it is empty."""
    pixels = np.flatnonzero(region)
    if not len(pixels):
        return np.empty((0, 2))
    chosen = pixels[generator.choice(len(pixels), size=count, replace=len(pixels) < count)]
    return np.stack([chosen % region.shape[1], chosen // region.shape[1]], axis=1)


def _moved(box: np.ndarray, noise: float, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """`box` with every side moved, inside the image and at least one pixel wide and high."""
    x0, y0, x1, y1 = box + noise * generator.standard_normal(4) * np.tile([box[2] - box[0], box[3] - box[1]], 2)
    (x0, x1), (y0, y1) = _span(x0, x1, shape[1]), _span(y0, y1, shape[0])
    return np.array([x0, y0, x1, y1])


def _span(low: float, high: float, length: int) -> tuple[float, float]:
    """The interval inside 0..length, widened around its middle where it is shorter than a pixel."""
    low, high = (min(max(value, 0.0), float(length)) for value in sorted((low, high)))
    if high - low < 1:
        low = min(max((low + high) / 2 - 0.5, 0.0), length - 1.0)
        high = low + 1
    return low, high


def _generator(*key: str) -> np.random.Generator:
    digest = hashlib.sha256("\0".join(key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
