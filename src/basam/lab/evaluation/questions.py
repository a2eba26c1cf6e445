"""The prompts of one image: its instances, and one prompt of every kind per instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from basam.lab.data import Instance, Loaded, Prompt, PromptSpec, make_prompt
from basam.lab.evaluation.detections import NAME, Detections
from basam.lab.evaluation.settings import EvaluateSettings


@dataclass(frozen=True, eq=False)
class Question:
    """One prompt and its ground truth; `score` replaces the predicted IoU if a detector gave one.

    `ignored` are pixels `(H, W)` bool excluded everywhere; None: none.
    """

    id: str
    prompt: Prompt
    instance: Instance | None = None
    category_id: int | None = None
    score: float | None = None
    ignored: np.ndarray | None = None

    @property
    def truth(self) -> np.ndarray | None:
        """`(H, W)` bool; None if there is no ground truth."""
        return None if self.instance is None else self.instance.mask


QuestionMaker = Callable[[str, Loaded], list[Question]]


def question_makers(settings: EvaluateSettings, detections: Detections | None) -> dict[str, QuestionMaker]:
    """By the name of the prompt: the questions about a sample."""
    makers: dict[str, QuestionMaker] = {str(spec): partial(of_truth, spec, settings.seed) for spec in settings.prompts}
    return makers if detections is None else {**makers, NAME: partial(of_detector, detections)}


def of_truth(spec: PromptSpec, seed: int, sample_id: str, loaded: Loaded) -> list[Question]:
    prompt = partial(make_prompt, spec, seed=seed, sample_id=sample_id, ignored=loaded.ignored)
    return [
        Question(one.id, prompt(one.mask, instance_id=one.id), one, one.category_id, ignored=loaded.ignored)
        for one in loaded.instances
    ]


def of_detector(detections: Detections, sample_id: str, loaded: Loaded) -> list[Question]:
    of_sample = detections.of_sample.get(sample_id, ())
    return [Question(str(one.order), one.prompt(), None, one.category_id, one.score) for one in of_sample]
