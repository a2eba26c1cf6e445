"""Prompts as users give them, checked: shapes, labels, numbers and whether they lie inside the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.errors import InputError


@dataclass(frozen=True)
class CheckedPrompts:
    """K checked prompts on one image, in its pixels; `single` where the user gave one prompt, not a batch of them."""

    count: int
    single: bool
    points: NDArray[np.float64] | None  # (K, P, 2) x, y
    labels: NDArray[np.int64] | None  # (K, P) 1 inside, 0 outside
    boxes: NDArray[np.float64] | None  # (K, 4) x0, y0, x1, y1
    masks: NDArray[np.float32] | None  # (K, 1, h, w) logits of an earlier prediction


def check_prompts(
    height: int, width: int, mask_size: tuple[int, int] | None, points: Any, labels: Any, boxes: Any, masks: Any
) -> CheckedPrompts:
    """Prompts in one form.

    Args:
        height, width: of the image.
        mask_size: (h, w) that a mask prompt must have; None: any.
        points: `(P, 2)` or `(K, P, 2)`; labels: `(P,)` or `(K, P)`; boxes: `(4,)` or `(K, 4)`;
            masks: `(h, w)`, `(1, h, w)` or `(K, 1, h, w)`. Any may be None, not all.

    Raises:
        ValueError: naming the argument, its value and what is allowed.
    """
    if points is None and labels is not None:
        raise InputError("point_labels without point_coords: give both")
    if points is None and boxes is None and masks is None:
        raise InputError("no prompt: give point_coords with point_labels, box or mask_input")
    point_array, label_array = check_points(points, labels, height, width)
    box_array = check_boxes(boxes, height, width)
    mask_array = check_masks(masks, mask_size)
    batched = (np.ndim(points) == 3, np.ndim(boxes) == 2, np.ndim(masks) == 4)
    counts = {
        name: len(array)
        for name, array in (("point_coords", point_array), ("box", box_array), ("mask_input", mask_array))
        if array is not None
    }
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{number} from {name}" for name, number in counts.items())
        raise InputError(f"prompts do not pair up: {found}; give as many of each")
    return CheckedPrompts(next(iter(counts.values())), not any(batched), point_array, label_array, box_array, mask_array)


def numbers(name: str, value: Any) -> NDArray[np.float64]:
    try:
        array = np.asarray(value)
        if array.dtype == bool or array.dtype.kind not in "iuf":
            raise ValueError
    except (ValueError, TypeError):
        raise InputError(f"{name}={value!r}: numbers are needed") from None
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinity: {array[~np.isfinite(array)][:3].tolist()}")
    return array


def check_points(points: Any, labels: Any, height: int, width: int) -> tuple[Any, Any]:
    if points is None:
        return None, None
    coords = numbers("point_coords", points)
    if coords.ndim not in (2, 3) or coords.shape[-1] != 2 or coords.size == 0:
        raise InputError(f"point_coords of shape {coords.shape}: (P, 2) or (K, P, 2) of x, y is needed")
    if labels is None:
        raise InputError("point_coords without point_labels: give a label for every point, 1 inside the object, 0 outside")
    marks = numbers("point_labels", labels)
    if marks.shape != coords.shape[:-1]:
        raise InputError(f"point_labels of shape {marks.shape} do not fit point_coords of shape {coords.shape}")
    if not np.isin(marks, (0, 1)).all():
        wrong = sorted(set(marks[~np.isin(marks, (0, 1))].tolist()))
        raise InputError(f"point_labels {wrong}: allowed are 1 (inside the object) and 0 (outside)")
    outside = (coords < 0).any(-1) | (coords[..., 0] > width) | (coords[..., 1] > height)
    if outside.any():
        x, y = coords[outside][0]
        raise InputError(f"point ({x:g}, {y:g}) lies outside the image of {width} x {height} px")
    coords, marks = coords.reshape(-1, *coords.shape[-2:]), marks.reshape(-1, marks.shape[-1])
    return coords, marks.astype(np.int64)


def check_boxes(boxes: Any, height: int, width: int) -> Any:
    if boxes is None:
        return None
    array = numbers("box", boxes)
    if array.shape[-1:] != (4,) or array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"box of shape {array.shape}: (4,) or (K, 4) of x0, y0, x1, y1 is needed")
    array = array.reshape(-1, 4)
    for x0, y0, x1, y1 in array:
        if x1 <= x0 or y1 <= y0:
            raise InputError(f"box ({x0:g}, {y0:g}, {x1:g}, {y1:g}) is empty: x1 > x0 and y1 > y0 are needed")
        if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            raise InputError(f"box ({x0:g}, {y0:g}, {x1:g}, {y1:g}) lies outside the image of {width} x {height} px")
    return array


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
