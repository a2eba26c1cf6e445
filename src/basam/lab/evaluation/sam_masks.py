"""Masks of an evaluation by a SAM; methods are modes of the predictor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from basam.lab.evaluation.methods import PYRAMID
from basam.lab.evaluation.questions import Question
from basam.lab.evaluation.settings import EvaluateSettings, Variant
from basam.predict import Focus, Predictor

# Bytes of full-size logits per batch of prompts.
LOGIT_BYTES = 256 << 20


class SamMasks:
    """Masks by SAM, see `runner.Masks`.

    Attributes:
        own_mode: the correction of methods without one.
    """

    def __init__(self, predictor: Predictor, settings: EvaluateSettings) -> None:
        self.predictor, self.multimask = predictor, settings.multimask
        geometry = predictor.attachment.geometry
        self.variants = settings.variants(geometry.image_size)
        self.smallest = geometry.patch if any(variant.long_side is None for variant in self.variants) else 1
        self.own_mode = predictor.mode if settings.mode is None else settings.mode
        self.own_focus = predictor.focus if settings.focus is None else settings.focus
        self.focus: Focus | bool = False
        self.image_shape: tuple[int, ...] = ()
        self.spent = 0.0  # encoding time before the present kind of prompt

    def encode(self, image: np.ndarray, variant: Variant) -> None:
        predictor = self.predictor
        predictor.mode = variant.mode(self.own_mode)
        self.image_shape, self.spent = image.shape, predictor.encode_seconds
        if variant.focused:
            # The whole photo is encoded at the size of a region, and only for a click's first prediction.
            predictor.set_image(image, long_side=variant.long_side)
            self.focus = replace(self.own_focus, side=variant.long_side)
            return
        self.focus = False
        pyramid = variant.method == PYRAMID
        predictor.set_image(image, long_side=variant.long_side, square=variant.square, pyramid=pyramid)
        if not pyramid:
            predictor.encode([predictor.image.whole])

    def cost(self) -> dict[str, Any]:
        predictor = self.predictor
        views = predictor.views
        tokens = max((view.tokens(predictor.attachment.geometry) for view in views), default=predictor.attachment.tokens)
        return {"tokens": tokens, "encode_seconds": round(predictor.encode_seconds - self.spent, 4)}

    def answers(self, questions: Sequence[Question]) -> Iterator[tuple[int, np.ndarray, float]]:
        height, width = self.image_shape[:2]
        step = max(1, LOGIT_BYTES // (4 * height * width * (3 if self.multimask else 1)))
        same_shape = groupby(range(len(questions)), key=lambda index: shapes(questions[index]))
        for indices in (list(group) for _, group in same_shape):
            for start in range(0, len(indices), step):
                part = indices[start : start + step]
                prompts = [questions[index].prompt.arguments() for index in part]
                stacked: dict[str, Any] = {name: stack([prompt[name] for prompt in prompts]) for name in prompts[0]}
                logits, scores, _ = self.predictor.predict(
                    **stacked, multimask_output=self.multimask, return_logits=True, focus=self.focus
                )
                best = scores.argmax(axis=1)
                for place, index in enumerate(part):
                    mask = best[place]
                    yield index, np.ascontiguousarray(logits[place, mask], dtype=np.float32), float(scores[place, mask])
        if self.focus or self.predictor.image.levels:  # encoding for the next kind of prompt is attributed to it
            self.predictor.image.encoded.clear()
            self.spent = self.predictor.encode_seconds


def shapes(question: Question) -> tuple[tuple[int, ...], ...]:
    return tuple(np.shape(value) for value in question.prompt.arguments().values())


def stack(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    present = [value for value in values if value is not None]
    return np.stack(present) if present else None
