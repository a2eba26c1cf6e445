"""Validation: the score of a step's weights on photographs that are not trained on, and the best step."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from basam.errors import InputError
from basam.files import read_json, write_json
from basam.lab.calibration import measure_photo
from basam.lab.data import Issues, PromptSpec, SampleError
from basam.lab.evaluation import chosen, half_width
from basam.lab.tuning.sources import Portion
from basam.predict import Focus, Predictor

PROMPTS = (PromptSpec("gt-box"), PromptSpec("gt-point"))
FEW = 16  # photographs; with fewer, a run prints how certain its figures are
# Sums over the photographs of all processes.
Reduce = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Score:
    """Mean IoU of one step, by data set and in the mean of data sets; `seconds` were spent on training until then.

    `intervals` has half the width of the 95 % interval of each mean over photographs, where it has more than one.
    """

    step: int
    by_data: dict[str, float]
    seconds: float = 0.0
    intervals: dict[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.by_data.values())

    def figure(self, title: str) -> str:
        """`0.8123 ± 0.0510`, without the interval where there is none."""
        interval = f" ± {self.intervals[title]:.4f}" if title in self.intervals else ""
        return f"{self.by_data[title]:.4f}{interval}"


@dataclass
class Scores:
    """The scores of a run, stored in a file for resuming."""

    path: Path
    scores: list[Score] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Scores:
        """Those in the file; none where there is no file."""
        return cls(path, [Score(**entry) for entry in read_json(path)["scores"]] if path.is_file() else [])

    def has(self, step: int) -> bool:
        return any(score.step == step for score in self.scores)

    @property
    def best(self) -> Score:
        """The highest mean; the earliest of several."""
        return max(self.scores, key=lambda score: score.mean)

    def write(self) -> None:
        """Write all of them."""
        write_json(self.path, {"scores": [asdict(score) for score in self.scores]})


class Validator:
    """Measures mean IoU, with boxes and points of the ground truth, one mask per prompt, as the evaluation does.

    Args:
        predictor: on the model that is trained.
        portions: with photographs to validate on.
        sizes: long sides in pixels, of regions with `focus`; None: the photographs' own.
        count: photographs per data set at most, evenly spaced.
        focus: how regions of prompts are chosen. None: on the whole photographs.
        rank, processes: this process measures every `processes`-th of them.
    """

    def __init__(
        self,
        predictor: Predictor,
        portions: Sequence[Portion],
        sizes: Sequence[int | None],
        *,
        count: int,
        seed: int,
        focus: Focus | None = None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.predictor, self.sizes, self.seed, self.focus = predictor, tuple(sizes), seed, focus
        self.rank, self.processes = rank, processes
        self.samples = {portion.title: chosen(portion.val, count) for portion in portions if portion.val}
        self.present = {portion.title: len(portion.val) for portion in portions if portion.val}
        self.issues = Issues()

    def measure(self, step: int, seconds: float, reduce: Reduce) -> Score:
        """The score of the model as it is.

        Raises:
            ValueError: no photograph of a data set can be read.
        """
        model, mode = self.predictor.model, self.predictor.attachment.mode
        model.eval()
        issues = Issues()
        sums = torch.zeros(len(self.samples), 3, dtype=torch.float64)
        for index, samples in enumerate(self.samples.values()):
            for sample in samples[self.rank :: self.processes]:
                try:
                    measured = measure_photo(self.predictor, sample, [mode], self.sizes, PROMPTS, self.seed, issues, self.focus)
                except SampleError as error:
                    issues.extend(error.issues)
                    continue
                value = statistics.fmean(measured[mode])
                sums[index] += torch.tensor([value, value**2, 1.0], dtype=torch.float64)
        self.predictor.reset_image()
        if not len(self.issues):
            self.issues = issues
        totals = reduce(sums)
        by_data, intervals = {}, {}
        for title, (total, squares, number) in zip(self.samples, totals.tolist(), strict=True):
            if not number:
                why = f", such as {last}" if (last := next(reversed(list(issues)), None)) is not None else ""
                raise InputError(f"{title}: none of the photographs to validate on can be read and used{why}")
            by_data[title] = total / number
            if number > 1:
                variance = max(0.0, squares - total**2 / number) / (number - 1)
                interval = half_width(math.sqrt(variance / number), round(number))
                assert interval is not None, "of two photographs and more"
                intervals[title] = interval
        return Score(step, by_data, seconds, intervals)

    def notes(self, score: Score) -> list[str]:
        """What to say of data sets with few photographs to validate on: how sure their figure is, and what helps."""
        return [
            f"{title}: validation has {len(samples)} photograph{'s' if len(samples) > 1 else ''}, so its mean IoU is "
            + (f"known to ± {score.intervals[title]:.2f} only (95 %)" if title in score.intervals else "a single case")
            + ", and the step to keep is chosen by little: "
            + (
                f"raise --validate-count, there are {self.present[title]}"
                if self.present[title] > len(samples)
                else "give more of them with --validation, or more photographs to tune on, of which a tenth is set aside"
            )
            for title, samples in self.samples.items()
            if len(samples) < FEW
        ]
