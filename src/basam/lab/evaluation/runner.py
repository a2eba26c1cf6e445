"""Images in, result lines out: every image is encoded once for each size and method, then all prompts are decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from basam.lab.data import Sample, SampleError
from basam.lab.evaluation.jobs import Measured, MetricJob
from basam.lab.evaluation.lines import Key, Line, Results, issue_line
from basam.lab.evaluation.pool import MetricPool
from basam.lab.evaluation.questions import Question, QuestionMaker
from basam.lab.evaluation.reading import read_sample
from basam.lab.evaluation.settings import EvaluateSettings, Variant
from basam.lab.metrics import METRICS
from basam.method import BiasMode
from basam.predict import Focus, Predictor

# Logits at full size of the prompts that are answered at once.
LOGIT_BYTES = 256 << 20


class Runner:
    """Evaluates samples one after the other with one model; each method is a mode of the predictor.

    Args:
        predictor: on the model.
        settings: of the run.
        makers: what makes the questions of an image, by the name of the prompt.
        pool: where metrics are computed.
        write: takes a finished line.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: EvaluateSettings,
        makers: dict[str, QuestionMaker],
        pool: MetricPool,
        write: Callable[[Line], None],
    ) -> None:
        self.predictor = predictor
        self.settings = settings
        self.makers = makers
        self.pool = pool
        self.write = write
        self.variants = settings.variants(predictor.attachment.geometry.image_size)
        at_own_size = any(variant.long_side is None for variant in self.variants)
        self.smallest = predictor.attachment.geometry.patch if at_own_size else 1
        self.own_mode = predictor.mode if settings.mode is None else settings.mode
        self.focus = predictor.focus if settings.focus is None else settings.focus
        self.stages = Stages()

    def keys(self, sample_id: str) -> list[Key]:
        """All lines that a sample makes."""
        return [(sample_id, variant.size, variant.method, prompt) for variant in self.variants for prompt in self.makers]

    def run(self, samples: Sequence[Sample], before: Results, advance: Callable[[], None]) -> None:
        """Write what is missing of `samples`; `advance` is called after each."""
        for sample in samples:
            if not all(key in before.measured for key in self.keys(sample.id)):
                self.run_sample(sample, before)
            advance()
        with self.stages.time("wait"):
            self.pool.finish()

    def run_sample(self, sample: Sample, before: Results) -> None:
        try:
            with self.stages.time("read"):
                loaded, image = read_sample(sample, self.smallest)
            issues = list(loaded.issues)
        except SampleError as error:
            loaded, issues = None, list(error.issues)
        if issues != before.issues.get(sample.id, []):
            self.put(issue_line(sample.id, issues))
        if loaded is None:
            return
        questions = {prompt: make(sample.id, loaded) for prompt, make in self.makers.items()}
        for variant in self.variants:
            missing = [
                prompt for prompt in self.makers if (sample.id, variant.size, variant.method, prompt) not in before.measured
            ]
            if missing:
                self.run_variant(sample.id, variant, image, {prompt: questions[prompt] for prompt in missing})

    def run_variant(self, sample_id: str, variant: Variant, image: np.ndarray, questions: dict[str, list[Question]]) -> None:
        predictor = self.predictor
        predictor.mode = self.own_mode if variant.corrected else BiasMode.off()
        already = predictor.encode_seconds
        with self.stages.time("encode"):
            if variant.focused:
                # The whole is seen at the size of a region, and only where a click needs a first look.
                predictor.set_image(image, long_side=variant.long_side)
            else:
                predictor.set_image(image, long_side=variant.long_side, square=variant.square)
                predictor.encode([predictor.image.whole])
        focus = replace(self.focus, side=variant.long_side) if variant.focused else False
        head: dict[str, Any] = {"sample": sample_id, "size": variant.size, "method": variant.method}
        head |= {"tokens": predictor.attachment.tokens, "encode_seconds": round(predictor.encode_seconds - already, 4)}
        for prompt, some in questions.items():
            line = PendingLine({**head, "prompt": prompt}, some, self.put)
            for index, logits, score in self.answers(some, image.shape[:2], focus):
                line.head["tokens"] = max(view.tokens(predictor.attachment.geometry) for view in predictor.views)
                line.head["encode_seconds"] = round(predictor.encode_seconds - already, 4)
                job = MetricJob(
                    logits,
                    some[index].truth,
                    self.settings.metrics,
                    image if self.needs_image else None,
                    some[index].ignored,
                )
                waited = self.pool.waited
                self.pool.submit(job, line.taker(index, score))
                self.stages.add("wait", self.pool.waited - waited)
            if variant.focused:  # what the next kind of prompt needs is its own expense
                predictor.image.encoded.clear()
                already = predictor.encode_seconds

    @property
    def needs_image(self) -> bool:
        return any(METRICS[name].needs_image for name in self.settings.metrics)

    def answers(
        self, questions: Sequence[Question], shape: tuple[int, ...], focus: bool | Focus
    ) -> Iterator[tuple[int, np.ndarray, float]]:
        """For each question its index, logits `(H, W)` float32 at the image's size and the predicted IoU."""
        step = max(1, LOGIT_BYTES // (4 * shape[0] * shape[1] * (3 if self.settings.multimask else 1)))
        alike = groupby(range(len(questions)), key=lambda index: shapes(questions[index]))
        for indices in (list(group) for _, group in alike):
            for start in range(0, len(indices), step):
                part = indices[start : start + step]
                prompts = [questions[index].prompt.arguments() for index in part]
                together: dict[str, Any] = {name: stack([prompt[name] for prompt in prompts]) for name in prompts[0]}
                with self.stages.time("decode"):
                    logits, scores, _ = self.predictor.predict(
                        **together, multimask_output=self.settings.multimask, return_logits=True, focus=focus
                    )
                best = scores.argmax(axis=1)
                for place, index in enumerate(part):
                    mask = best[place]
                    yield index, np.ascontiguousarray(logits[place, mask], dtype=np.float32), float(scores[place, mask])

    def put(self, line: Line) -> None:
        with self.stages.time("write"):
            self.write(line)


class PendingLine:
    """A line that is written when all of its instances are measured."""

    def __init__(self, head: dict[str, Any], questions: Sequence[Question], put: Callable[[Line], None]) -> None:
        self.head = head
        self.questions = questions
        self.put = put
        self.instances: dict[int, dict[str, Any]] = {}
        self.put_if_whole()

    def taker(self, index: int, predicted_iou: float) -> Callable[[Measured], None]:
        """What takes the result of question `index`."""
        question = self.questions[index]
        score = predicted_iou if question.score is None else question.score

        def take(measured: Measured) -> None:
            self.instances[index] = {
                "id": question.id,
                "category_id": question.category_id,
                "score": score,
                "metrics": measured.metrics,
                "rle": measured.rle,
            }
            self.put_if_whole()

        return take

    def put_if_whole(self) -> None:
        if len(self.instances) == len(self.questions):
            self.put({**self.head, "instances": [self.instances[index] for index in range(len(self.questions))]})


def shapes(question: Question) -> tuple[tuple[int, ...], ...]:
    return tuple(np.shape(value) for value in question.prompt.arguments().values())


def stack(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    present = [value for value in values if value is not None]
    return np.stack(present) if present else None


@dataclass
class Stages:
    """Seconds of the main process by stage: `read`, `encode`, `decode`, `wait` (for workers that measure), `write`."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - start)

    def add(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
