"""The prompts of one image: its instances, and the prompt of one kind that is made for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from basam.data import Loaded, Prompt, make_prompt
from basam.evaluation.detections import NAME, Detections
from basam.evaluation.settings import EvaluateSettings


@dataclass(frozen=True, eq=False)
class Question:
    """One prompt and what its mask is compared with; `score` replaces the predicted IoU where a detector gave one."""

    id: str
    prompt: Prompt
    truth: np.ndarray | None = None
    category_id: int | None = None
    score: float | None = None


Asker = Callable[[str, Loaded], list[Question]]


def askers(settings: EvaluateSettings, detections: Detections | None) -> dict[str, Asker]:
    """By the name of each prompt: the questions that it makes of a sample."""

    def from_truth(spec_index: int) -> Asker:
        spec = settings.prompts[spec_index]

        def ask(sample_id: str, loaded: Loaded) -> list[Question]:
            return [
                Question(
                    instance.id,
                    make_prompt(spec, instance.mask, seed=settings.seed, sample_id=sample_id, instance_id=instance.id),
                    instance.mask,
                    instance.category_id,
                )
                for instance in loaded.instances
            ]

        return ask

    found = {str(spec): from_truth(index) for index, spec in enumerate(settings.prompts)}
    if detections is not None:

        def from_detector(sample_id: str, loaded: Loaded) -> list[Question]:
            return [
                Question(str(one.order), one.prompt(), None, one.category_id, one.score)
                for one in detections.of_sample.get(sample_id, ())
            ]

        found[NAME] = from_detector
    return found
