"""Images in, result lines out: every image is encoded once per size and method, then all prompts are decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from basam.batch import Stopwatch
from basam.lab.data import Sample, SampleError
from basam.lab.evaluation.jobs import Measured, MetricJob
from basam.lab.evaluation.lines import Line, Results, issue_line
from basam.lab.evaluation.maps import MapFolder
from basam.lab.evaluation.pool import MetricPool
from basam.lab.evaluation.questions import Question, QuestionMaker
from basam.lab.evaluation.reading import read_sample
from basam.lab.evaluation.settings import Variant
from basam.lab.metrics import METRICS


class Masks(Protocol):
    """A source of masks: SAM (`sam_masks`) or a custom model (`custom`).

    Attributes:
        variants: sizes and methods.
        smallest: required long side of images in pixels.
    """

    variants: list[Variant]
    smallest: int

    def encode(self, image: np.ndarray, variant: Variant) -> None:
        """Take an image `(H, W, 3)` uint8."""

    def cost(self) -> dict[str, Any]:
        """For the prompts so far: `encode_seconds`, and `tokens` if the model has any."""

    def answers(self, questions: Sequence[Question]) -> Iterator[tuple[int, np.ndarray, float]]:
        """Per question its index, logits `(H, W)` float32 at the image's size and the predicted IoU."""


class Runner:
    """Evaluates samples one after the other.

    Args:
        masks: the source of masks.
        metrics: keys of `METRICS`.
        makers: functions that make the questions of an image, by the name of the prompt.
        pool: computes metrics.
        write: called with finished lines.
        maps: where predictions are written as files; None: they are not.

    Attributes:
        stages: seconds of `read`, `encode`, `decode`, `wait` (for metric processes) and `write` in the main process.
    """

    def __init__(
        self,
        masks: Masks,
        metrics: tuple[str, ...],
        makers: dict[str, QuestionMaker],
        pool: MetricPool,
        write: Callable[[Line], None],
        maps: MapFolder | None = None,
    ) -> None:
        self.masks = masks
        self.metrics = metrics
        self.makers = makers
        self.pool = pool
        self.write = write
        self.maps = maps
        self.stages = Stopwatch()

    def missing(self, sample_id: str, variant: Variant, before: Results) -> list[str]:
        """Prompts for which a sample has no line yet, or not all of its maps."""
        lines = {name: before.measured.get((sample_id, variant.size, variant.method, name)) for name in self.makers}
        return [
            name
            for name, line in lines.items()
            if line is None or (self.maps is not None and not self.maps.is_complete(line, variant))
        ]

    def run(self, samples: Sequence[Sample], before: Results, advance: Callable[[], None]) -> None:
        """Write what is missing of `samples`; `advance` is called after every image."""
        for sample in samples:
            if any(self.missing(sample.id, variant, before) for variant in self.masks.variants):
                self.run_sample(sample, before)
            advance()
        with self.stages.timing("wait"):
            self.pool.finish()

    def run_sample(self, sample: Sample, before: Results) -> None:
        try:
            with self.stages.timing("read"):
                loaded, image = read_sample(sample, self.masks.smallest)
            issues = list(loaded.issues)
        except SampleError as error:
            loaded, issues = None, list(error.issues)
        if issues != before.issues.get(sample.id, []):
            self.put(issue_line(sample.id, issues))
        if loaded is None:
            return
        questions = {prompt: make(sample.id, loaded) for prompt, make in self.makers.items()}
        for variant in self.masks.variants:
            missing = self.missing(sample.id, variant, before)
            if missing:
                self.run_variant(sample.id, variant, image, {prompt: questions[prompt] for prompt in missing})

    def run_variant(self, sample_id: str, variant: Variant, image: np.ndarray, questions: dict[str, list[Question]]) -> None:
        with self.stages.timing("encode"):
            self.masks.encode(image, variant)
        head = {"sample": sample_id, "size": variant.size, "method": variant.method}
        for prompt, some in questions.items():
            line = PendingLine({**head, **self.masks.cost(), "prompt": prompt}, some, self.put)
            for index, logits, score in self.timed(self.masks.answers(some)):
                line.head |= self.masks.cost()
                question = some[index]
                job = MetricJob(
                    logits,
                    question.truth,
                    self.metrics,
                    image if self.needs_image else None,
                    question.ignored,
                    None if self.maps is None else self.maps.path(sample_id, variant, prompt, question.id),
                )
                waited = self.pool.waited
                self.pool.submit(job, line.taker(index, score))
                self.stages.seconds["wait"] += self.pool.waited - waited

    def timed(self, predictions: Iterator[tuple[int, np.ndarray, float]]) -> Iterator[tuple[int, np.ndarray, float]]:
        while True:
            with self.stages.timing("decode"):
                prediction = next(predictions, None)
            if prediction is None:
                return
            yield prediction

    @property
    def needs_image(self) -> bool:
        return any(METRICS[name].needs_image for name in self.metrics)

    def put(self, line: Line) -> None:
        with self.stages.timing("write"):
            self.write(line)


class PendingLine:
    """A line that is written when all its instances are measured."""

    def __init__(self, head: dict[str, Any], questions: Sequence[Question], put: Callable[[Line], None]) -> None:
        self.head = head
        self.questions = questions
        self.put = put
        self.instances: dict[int, dict[str, Any]] = {}
        self.put_if_whole()

    def taker(self, index: int, predicted_iou: float) -> Callable[[Measured], None]:
        """The callback for the result of question `index`."""
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
