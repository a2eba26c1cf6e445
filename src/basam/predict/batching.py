"""Prompts as tensors for the decoder, batched by their number of points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from basam.errors import InputError, InputTypeError
from basam.families import PromptTensors
from basam.predict.prompts import ABSENT, check_labels, whole_pixels

Points = Tensor | list[Tensor] | None


def check_tensors(
    points: Points, labels: Points, boxes: Tensor | None, masks: Tensor | None, mask_size: tuple[int, int], device: torch.device
) -> PromptTensors:
    """K prompts given as tensors, checked, on `device` and as float32, labels as int64.

    Args:
        points, labels: `(K, P, 2)` and `(K, P)`, or lists of K of `(P, 2)` and `(P,)` with different P, which are padded.
        boxes: `(K, 4)`.
        masks: `(K, 1, h, w)`, `mask_size` being h and w.

    Raises:
        ValueError: no prompt, another shape or number of prompts, NaN or infinity, or an unknown label.
        TypeError: not a tensor, or complex or boolean numbers.
    """
    if points is None and labels is None and boxes is None and masks is None:
        raise InputError("no prompt: give point_coords with point_labels, boxes or mask_input")
    if (points is None) != (labels is None) or (points is not None and labels is not None and len(labels) != len(points)):
        raise InputError("point_coords and point_labels: give both, with a label for every point")
    height, width = mask_size
    coords = stacked("point_coords", points, ("P", 2), 0)
    marks = stacked("point_labels", labels, ("P",), ABSENT)
    if coords is not None and marks is not None:
        if marks.shape != coords.shape[:-1]:
            raise InputError(
                f"point_labels of shape {tuple(marks.shape)} do not fit point_coords of shape {tuple(coords.shape)}"
            )
        check_labels(marks.cpu().double().numpy())
        coords = coords.masked_fill((marks < 0).to(coords.device)[..., None], 0)  # padding has arbitrary coordinates
    given = {
        "point_coords": coords,
        "boxes": stacked("boxes", boxes, (4,)),
        "mask_input": stacked("mask_input", masks, (1, height, width)),
    }
    counts = {name: len(tensor) for name, tensor in given.items() if tensor is not None}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        counted = ", ".join(f"{number} from {name}" for name, number in counts.items())
        raise InputError(f"prompts do not pair up: {counted}; give the same number of each, at least one")
    for name, tensor in given.items():
        if tensor is not None and not bool(tensor.isfinite().all()):
            raise InputError(f"{name} holds NaN or infinity: {tensor[~tensor.isfinite()][:3].tolist()}")
    ready = [None if tensor is None else tensor.to(device, torch.float32) for tensor in given.values()]
    return PromptTensors(ready[0], None if marks is None else marks.to(device, torch.int64), *ready[1:])


def stacked(name: str, value: Any, shape: tuple[int | str, ...], padding: float | None = None) -> Tensor | None:
    """Prompts `(K, *shape)` of one kind; a list of K tensors is padded with `padding` to one length if it is given.

    Raises:
        ValueError: another shape than `shape`, in which a letter stands for any number, or no prompt at all.
        TypeError: not tensors of numbers.
    """
    if value is None:
        return None
    if padding is not None and isinstance(value, Sequence):
        parts = [check_tensor(f"{name}[{number}]", part, shape) for number, part in enumerate(value)]
        return pad_sequence(parts, batch_first=True, padding_value=padding) if parts else torch.zeros(0, *(0 for _ in shape))
    return check_tensor(name, value, ("K", *shape))


def check_tensor(name: str, value: Any, shape: tuple[int | str, ...]) -> Tensor:
    if not isinstance(value, Tensor):
        raise InputTypeError(f"{name} is a {type(value).__name__}: a tensor is needed; predict takes arrays and lists")
    if value.is_complex() or value.dtype == torch.bool:
        raise InputTypeError(f"{name} of {value.dtype}: real numbers are needed")
    fits = value.ndim == len(shape) and all(isinstance(n, str) or n == m for n, m in zip(shape, value.shape, strict=True))
    if not fits:
        raise InputError(
            f"{name} of shape {tuple(value.shape)}: ({', '.join(map(str, shape))}) is needed".replace("(P)", "(P,)")
        )
    return value


def check_resized(pixels: Any, size: Any, patch: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width of an already resized image `(1, 3, height, width)`, and of the original.

    Raises:
        ValueError: another shape, smaller than a patch, or NaN, infinity or complex numbers.
    """
    if not isinstance(pixels, Tensor):
        raise InputError(f"transformed_image is a {type(pixels).__name__}: a tensor is needed")
    shape = tuple(pixels.shape)
    if len(shape) != 4 or shape[:2] != (1, 3) or max(shape[2:]) < patch or min(shape[2:]) < 1:
        raise InputError(f"transformed_image of shape {shape}: (1, 3, height, width) is needed, with a side of {patch} px")
    if pixels.is_complex() or not bool(pixels.float().isfinite().all()):
        raise InputError(f"transformed_image of {pixels.dtype} holds NaN, infinity or complex numbers")
    if not isinstance(size, Sequence) or len(size) != 2:
        raise InputError(f"original_image_size={size!r}: height and width in pixels are needed")
    height, width = (whole_pixels("original_image_size", side) for side in size)
    return (shape[2], shape[3]), (height, width)


def batches(prompts: PromptTensors, step: int) -> Iterator[tuple[slice | Tensor, PromptTensors]]:
    """Batches for the decoder: at most `step` prompts with the same number of points; absent points are left out.

    Yields:
        the indices of a batch among the K prompts, and its prompts.

    Raises:
        ValueError: a prompt with only absent points.
    """
    points, labels = prompts.points, prompts.labels
    there = None if labels is None else (labels != ABSENT).cpu()
    if points is None or labels is None or there is None or bool(there.all()):
        for start in range(0, len(prompts), step):
            part = slice(start, start + step)
            yield part, prompts[part]
        return
    counts = there.sum(1)
    for count in counts.unique().tolist():
        for rows in (counts == count).nonzero()[:, 0].split(step):
            some = replace(prompts[rows], points=None, labels=None)
            if count:
                present = there[rows]
                some = replace(
                    some, points=points[rows][present].view(-1, count, 2), labels=labels[rows][present].view(-1, count)
                )
            elif not len(some):
                raise InputError(f"prompt {int(rows[0])} of {len(prompts)} has neither points nor a box: give it one")
            yield rows, some
