"""Evaluate your own model: any object with `predict(image, box, points)`.

class Bright:
    def predict(self, image, box=None, points=None):
        return image.mean(axis=2) > 128

evaluate(EvaluateSettings(kind="folder", root="photos"), "runs/bright", model=Bright())
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from basam.errors import InputTypeError
from basam.lab.data import Prompt
from basam.lab.evaluation.methods import CUSTOM
from basam.lab.evaluation.questions import Question
from basam.lab.evaluation.settings import NATIVE, Variant


class CustomModel(Protocol):
    """The interface of `evaluate(..., model=)`. An attribute `name` is its name in reports, else its class is."""

    def predict(self, image: np.ndarray, box: np.ndarray | None, points: np.ndarray | None) -> np.ndarray:
        """One mask for one prompt.

        Args:
            image: `(H, W, 3)` uint8, RGB, at native resolution.
            box: `(4,)` x0, y0, x1, y1 in pixels, or None.
            points: `(P, 3)` x, y in pixels and the label, 1 on the object and 0 on the background; or None.

        Returns:
            `(H, W)`: bool, or probabilities from 0 to 1.
        """


class CustomMasks:
    """The masks of a custom model; see `runner.Masks`."""

    smallest = 1

    def __init__(self, model: CustomModel) -> None:
        if not callable(getattr(model, "predict", None)):
            raise InputTypeError(f"model of type {type(model).__name__}: an object with predict(image, box, points) is needed")
        self.model = model
        self.name = str(getattr(model, "name", type(model).__name__))
        self.variants = [Variant(NATIVE, CUSTOM)]
        self.image = np.zeros((0, 0, 3), np.uint8)
        self.seconds = 0.0

    def encode(self, image: np.ndarray, variant: Variant) -> None:
        self.image, self.seconds = image, 0.0

    def cost(self) -> dict[str, Any]:
        return {"encode_seconds": round(self.seconds, 4)}

    def answers(self, questions: Sequence[Question]) -> Iterator[tuple[int, np.ndarray, float]]:
        self.seconds = 0.0
        for index, question in enumerate(questions):
            start = time.perf_counter()
            predicted = self.model.predict(image=self.image, **arguments(question.prompt))
            self.seconds += time.perf_counter() - start
            probabilities = self.checked(predicted)
            with np.errstate(divide="ignore"):
                yield index, np.log(probabilities) - np.log1p(-probabilities), float(probabilities.max(initial=0))

    def checked(self, predicted: Any) -> np.ndarray:
        """Probabilities `(H, W)` float32."""
        mask, shape = np.asarray(predicted), self.image.shape[:2]
        if mask.shape != shape or mask.dtype.kind not in "bf":
            raise InputTypeError(
                f"{self.name}.predict returned {mask.dtype} of shape {mask.shape}: {shape} bool or float is needed"
            )
        if mask.size and not (mask.min() >= 0 and mask.max() <= 1):  # False for NaN too
            raise InputTypeError(f"{self.name}.predict returned values from {mask.min():g} to {mask.max():g}: 0 to 1 is needed")
        return mask.astype(np.float32)


def arguments(prompt: Prompt) -> dict[str, np.ndarray | None]:
    points = None if prompt.points is None or prompt.labels is None else np.column_stack([prompt.points, prompt.labels])
    return {"box": prompt.box, "points": points}
