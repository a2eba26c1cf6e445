"""The prompts of one image: its instances, and the prompt of one kind that is made for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from basam.lab.data import Instance, Loaded, Prompt, make_prompt
from basam.lab.evaluation.detections import NAME, Detections
from basam.lab.evaluation.settings import EvaluateSettings


@dataclass(frozen=True, eq=False)
class Question:
    """One prompt and what its mask is compared with; `score` replaces the predicted IoU where a detector gave one.

    `ignored` are pixels `(H, W)` bool that count nowhere; None: all count.
    """

    id: str
    prompt: Prompt
    instance: Instance | None = None
    category_id: int | None = None
    score: float | None = None
    ignored: np.ndarray | None = None

    @property
    def truth(self) -> np.ndarray | None:
        """`(H, W)` bool; None where there is none to compare with."""
        return None if self.instance is None else self.instance.mask


QuestionMaker = Callable[[str, Loaded], list[Question]]


def question_makers(settings: EvaluateSettings, detections: Detections | None) -> dict[str, QuestionMaker]:
    """By the name of each prompt: the questions that it makes of a sample."""

    def from_truth(spec_index: int) -> QuestionMaker:
        spec = settings.prompts[spec_index]

        def questions_of(sample_id: str, loaded: Loaded) -> list[Question]:
            return [
                Question(
                    instance.id,
                    make_prompt(
                        spec,
                        instance.mask,
                        seed=settings.seed,
                        sample_id=sample_id,
                        instance_id=instance.id,
                        ignored=loaded.ignored,
                    ),
                    instance,
                    instance.category_id,
                    ignored=loaded.ignored,
                )
                for instance in loaded.instances
            ]

        return questions_of

    found = {str(spec): from_truth(index) for index, spec in enumerate(settings.prompts)}
    if detections is not None:

        def from_detector(sample_id: str, loaded: Loaded) -> list[Question]:
            return [
                Question(str(one.order), one.prompt(), None, one.category_id, one.score)
                for one in detections.of_sample.get(sample_id, ())
            ]

        found[NAME] = from_detector
    return found
