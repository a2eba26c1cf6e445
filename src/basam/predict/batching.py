"""Prompts as tensors, on their way to the decoder: those with as many points go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from basam.errors import InputError
from basam.families import PromptTensors
from basam.predict.prompts import ABSENT, check_labels

Points = Tensor | list[Tensor] | None


def check_tensors(points: Points, labels: Points) -> tuple[Tensor | None, Tensor | None]:
    """Points `(K, P, 2)` and labels `(K, P)`, from tensors or from lists of K tensors with different P.

    Raises:
        ValueError: a label that there is not, or another number of labels than of points.
    """
    if points is None and labels is None:
        return None, None
    if points is None or labels is None or len(labels) != len(points):
        raise InputError("point_coords and point_labels: give both, with a label for every point")
    if not isinstance(points, Tensor):
        points = pad_sequence([one.reshape(-1, 2) for one in points], batch_first=True)
    if not isinstance(labels, Tensor):
        labels = pad_sequence(labels, batch_first=True, padding_value=ABSENT)
    if labels.shape != points.shape[:-1]:
        raise InputError(f"point_labels of shape {tuple(labels.shape)} do not fit point_coords of shape {tuple(points.shape)}")
    check_labels(labels.cpu().float().numpy())
    return points, labels


def batches(prompts: PromptTensors, step: int) -> Iterator[tuple[slice | Tensor, PromptTensors]]:
    """Prompts that go through the decoder together: at most `step`, with as many points each; absent points are left out.

    Yields:
        which of the K prompts they are, and they.

    Raises:
        ValueError: nothing but absent points in a prompt.
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
                kept = there[rows]
                some = replace(some, points=points[rows][kept].view(-1, count, 2), labels=labels[rows][kept].view(-1, count))
            elif not len(some):
                raise InputError(f"prompt {int(rows[0])} of {len(prompts)} has neither points nor a box: give it one")
            yield rows, some


def checked_shape(pixels: Any, patch: int) -> tuple[int, ...]:
    """The shape of an image that was resized already; ValueError where it is none."""
    if not isinstance(pixels, Tensor):
        raise InputError(f"transformed_image is a {type(pixels).__name__}: a tensor is needed")
    shape = tuple(pixels.shape)
    if len(shape) != 4 or shape[:2] != (1, 3) or max(shape[2:]) < patch or min(shape[2:]) < 1:
        raise InputError(f"transformed_image of shape {shape}: (1, 3, height, width) is needed, with a side of {patch} px")
    if pixels.is_complex() or not bool(pixels.float().isfinite().all()):
        raise InputError(f"transformed_image of {pixels.dtype} holds NaN, infinity or complex numbers")
    return shape
