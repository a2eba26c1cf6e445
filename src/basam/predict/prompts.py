"""Validation of prompts: shapes, labels, numbers, and whether they are inside the image.

Prompts of one call may have different numbers of points: as lists of different lengths, or padded to one length. Padding of
`transformers` (label -10) is removed, so that every prompt is predicted as if it were alone. Meta's padding (label -1) goes to
the model, which has an embedding for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.checks import shown
from basam.errors import InputError, warn

NAMED = 3  # boxes that a warning names

# Labels of points.
FOREGROUND, BACKGROUND, META_PADDING, ABSENT = 1, 0, -1, -10
LABELS = "1 (inside the object), 0 (outside), -1 (ignored, Meta's padding) and -10 (absent, transformers' padding)"


@dataclass(frozen=True)
class CheckedPrompts:
    """K validated prompts on one image, in its pixels; `single` if the user gave one prompt instead of a batch."""

    count: int
    single: bool
    points: NDArray[np.float64] | None  # (K, P, 2) x, y
    labels: NDArray[np.int64] | None  # (K, P) 1 inside, 0 outside, -1 ignored, -10 absent
    boxes: NDArray[np.float64] | None  # (K, 4) x0, y0, x1, y1
    masks: NDArray[np.float32] | None  # (K, 1, h, w) logits of an earlier prediction

    def positive_points(self, index: int) -> NDArray[np.float64]:
        if self.points is None or self.labels is None:
            return np.zeros((0, 2))
        return self.points[index][self.labels[index] == FOREGROUND]

    def object_points(self, index: int) -> NDArray[np.float64]:
        """The points on the object of a click: the positive ones, or without any, all but padding."""
        points = self.positive_points(index)
        if len(points) or self.points is None or self.labels is None:
            return points
        return self.points[index][self.labels[index] >= BACKGROUND]

    def with_positive_points(self, box: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """A box `(4,)`, enlarged to include the positive points of a prompt."""
        points = self.positive_points(index)
        if not len(points):
            return box
        return np.concatenate([np.minimum(box[:2], points.min(0)), np.maximum(box[2:], points.max(0))])


def check_prompts(
    height: int, width: int, mask_size: tuple[int, int] | None, points: Any, labels: Any, boxes: Any, masks: Any
) -> CheckedPrompts:
    """Prompts in one form.

    Args:
        height, width: of the image.
        mask_size: (h, w) that a mask prompt must have; None: any.
        points: `(P, 2)` or `(K, P, 2)`, or a list of K of `(P, 2)` with different P; labels: `(P,)` or `(K, P)` or such a
            list; boxes: `(4,)` or `(K, 4)`; masks: `(h, w)`, `(1, h, w)` or `(K, 1, h, w)`. Any may be None, but not all.

    A box that extends beyond the image is clipped to it, with a warning.

    Raises:
        ValueError: naming the argument, its value and what is allowed.
    """
    if points is None and labels is not None:
        raise InputError("point_labels without point_coords: give both")
    if points is None and boxes is None and masks is None:
        raise InputError("no prompt: give point_coords with point_labels, box or mask_input")
    if points is not None and (boxes is not None or masks is not None) and has_no_point(points, labels):
        points = labels = None  # as in Meta's predictors
    many = is_ragged(points)
    if many:
        points, labels = pad_points(points, labels)
    point_array, label_array = check_points(points, labels, height, width)
    box_array, cut = check_boxes(boxes, height, width)
    mask_array = check_masks(masks, mask_size)
    batched = (many, np.ndim(points) == 3, np.ndim(boxes) == 2, np.ndim(masks) == 4)
    counts = {
        name: len(array)
        for name, array in (("point_coords", point_array), ("box", box_array), ("mask_input", mask_array))
        if array is not None
    }
    if len(set(counts.values())) > 1:
        given = ", ".join(f"{number} from {name}" for name, number in counts.items())
        raise InputError(f"prompts do not pair up: {given}; give the same number of each")
    if label_array is not None and box_array is None and mask_array is None:
        empty = np.flatnonzero((label_array < 0).all(1))
        if empty.size:
            raise InputError(f"prompt {empty[0]} of {len(label_array)} has no point inside or outside, and no box: give it one")
    if cut:
        warn(cut)
    return CheckedPrompts(next(iter(counts.values())), not any(batched), point_array, label_array, box_array, mask_array)


def has_no_point(points: Any, labels: Any) -> bool:
    """Whether points and labels are empty: `(0, 2)`, `(K, 0, 2)` or an empty list."""
    try:
        shape = np.shape(points)
        return 0 in shape and shape[-1:] in ((0,), (2,)) and (labels is None or 0 in np.shape(labels))
    except ValueError:  # lists of different lengths
        return False


def whole_pixels(name: str, value: Any) -> int:
    """`value` as a number of pixels.

    Raises:
        ValueError: not a whole number above 0; the message names the argument.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r}: a whole number of pixels, at least one, is needed")
    return int(value)


def numbers(name: str, value: Any, *, finite: bool = True) -> NDArray[np.float64]:
    try:
        if hasattr(value, "detach"):  # a tensor: on any device, with a gradient, of a type that numpy does not have
            value = value.detach().cpu().double()
        array = np.asarray(value)
        if array.dtype == bool or array.dtype.kind not in "iuf":
            raise ValueError
    except (ValueError, TypeError):
        raise InputError(f"{shown(name, value)}: numbers are needed") from None
    array = array.astype(np.float64)
    if finite:
        check_numbers(name, array)
    return array


def check_numbers(name: str, array: NDArray[np.float64]) -> None:
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinity: {array[~np.isfinite(array)][:3].tolist()}")


def is_ragged(points: Any) -> bool:
    """Whether a list (or an array of objects) holds one list of points per prompt, with different numbers of points, or none
    for some."""
    if not isinstance(points, (list, tuple)) and not (isinstance(points, np.ndarray) and points.dtype.kind == "O"):
        return False
    try:
        lengths = [len(one) for one in points]
        nested = all(hasattr(point, "__len__") for one in points for point in one)
    except TypeError:  # a number where a point is expected: `check_points` names it
        return False
    return nested and (len(set(lengths)) > 1 or 0 in lengths)


def pad_points(points: Any, labels: Any) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Lists of different lengths as `(K, P, 2)` and `(K, P)`, padded with absent points.

    Raises:
        ValueError: not numbers, or different numbers of labels and points; the message names the prompt.
    """
    longest = max(1, *(len(one) for one in points))
    coords = np.zeros((len(points), longest, 2))
    marks = np.full((len(points), longest), float(ABSENT))
    if labels is not None and np.ndim(labels[0] if hasattr(labels, "__len__") and len(labels) == len(points) else 0) == 0:
        raise InputError(f"point_labels={labels!r}: one list of labels per prompt is needed, for {len(points)} prompts")
    for number, one in enumerate(points):
        of_prompt = numbers(f"point_coords[{number}]", one, finite=False)
        if len(one) and of_prompt.shape != (len(one), 2):
            raise InputError(f"point_coords[{number}] of shape {of_prompt.shape}: (P, 2) of x, y is needed")
        coords[number, : len(one)] = of_prompt.reshape(-1, 2)
        if labels is not None:
            of_labels = numbers(f"point_labels[{number}]", labels[number])
            if of_labels.shape != (len(one),):
                raise InputError(f"point_labels[{number}] of shape {of_labels.shape} do not fit its {len(one)} points")
            marks[number, : len(one)] = of_labels
    return coords, None if labels is None else marks


def check_points(points: Any, labels: Any, height: int, width: int) -> tuple[Any, Any]:
    if points is None:
        return None, None
    coords = numbers("point_coords", points, finite=False)
    if coords.ndim not in (2, 3) or coords.shape[-1] != 2 or coords.size == 0:
        raise InputError(f"point_coords of shape {coords.shape}: (P, 2) or (K, P, 2) of x, y is needed")
    if labels is None:
        raise InputError("point_coords without point_labels: give a label for every point, 1 inside the object, 0 outside")
    marks = numbers("point_labels", labels)
    if marks.shape != coords.shape[:-1]:
        raise InputError(f"point_labels of shape {marks.shape} do not fit point_coords of shape {coords.shape}")
    check_labels(marks)
    coords = np.where(marks[..., None] < 0, 0.0, coords)  # padding has arbitrary coordinates
    check_numbers("point_coords", coords)
    outside = (coords < 0).any(-1) | (coords[..., 0] > width) | (coords[..., 1] > height)
    if outside.any():
        x, y = coords[outside][0]
        raise InputError(f"point ({x:g}, {y:g}) lies outside the image of {width} x {height} px")
    coords, marks = coords.reshape(-1, *coords.shape[-2:]), marks.reshape(-1, marks.shape[-1])
    return coords, marks.astype(np.int64)


def check_labels(marks: NDArray[Any]) -> None:
    known = np.isin(marks, (FOREGROUND, BACKGROUND, META_PADDING, ABSENT))
    if not known.all():
        raise InputError(f"point_labels {sorted(set(marks[~known].tolist()))}: allowed are {LABELS}")


def check_boxes(boxes: Any, height: int, width: int) -> tuple[Any, str]:
    """Boxes `(K, 4)` clipped to the image, and a warning that names the clipped ones; empty if there are none."""
    if boxes is None:
        return None, ""
    array = numbers("box", boxes)
    if array.shape[-1:] != (4,) or array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"box of shape {array.shape}: (4,) or (K, 4) of x0, y0, x1, y1 is needed")
    array = array.reshape(-1, 4)
    inside = np.clip(array, 0, [width, height] * 2)
    for box, (x0, y0, x1, y1) in zip(array, inside, strict=True):
        if box[2] <= box[0] or box[3] <= box[1]:
            raise InputError(f"box {in_words(box)} is empty: x1 > x0 and y1 > y0 are needed")
        if x1 <= x0 or y1 <= y0:
            raise InputError(f"box {in_words(box)} lies outside the image of {width} x {height} px")
    cut = [in_words(box) for box, clipped in zip(array, inside, strict=True) if (box != clipped).any()]
    if not cut:
        return array, ""
    more = f" and {len(cut) - NAMED} more" if len(cut) > NAMED else ""
    return inside, f"box {', '.join(cut[:NAMED])}{more}: clipped to the image of {width} x {height} px, beyond which it extends"


def in_words(box: NDArray[np.float64]) -> str:
    return f"({', '.join(f'{value:g}' for value in box)})"


def check_masks(masks: Any, size: tuple[int, int] | None) -> Any:
    if masks is None:
        return None
    array = numbers("mask_input", masks)
    height, width = size or array.shape[-2:] if array.ndim >= 2 else (0, 0)
    wrong = array.ndim not in (2, 3, 4) or array.shape[-2:] != (height, width) or array.size == 0
    if wrong or (array.ndim > 2 and array.shape[-3] != 1):
        raise InputError(
            f"mask_input of shape {array.shape}: logits of (1, {height}, {width}) or (K, 1, {height}, {width}) are "
            "needed, as predict returned them for this image"
        )
    return array.reshape(-1, 1, height, width).astype(np.float32)


def in_pixels(shares: Any, height: int, width: int) -> NDArray[np.float64]:
    """Points `(..., 2)` or boxes `(..., 4)`, from shares of an image's sides to pixels."""
    values = np.asarray(shares, dtype=np.float64)
    return values * np.resize([width, height], values.shape[-1:])
