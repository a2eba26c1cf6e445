"""Problems of a data set: every kind has a name, a policy and a count, and none is skipped silently.

An `Issue` is one problem of one file or annotation; `Issues` is the list that a report prints. The kind of problem (`PROBLEMS`)
decides whether the sample is left out of the figures or read all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from basam.errors import BasamError, InputError

Policy = Literal["broken", "left out", "read", "ignored"]


@dataclass(frozen=True)
class Problem:
    """A kind of problem.

    policy: `broken` and `left out` samples are in no figure, and `broken` also means that a command ends with a status
    other than 0; `read` samples are used as in `title`; `ignored` things are not samples.
    """

    title: str
    policy: Policy


PROBLEMS = {
    "unreadable-image": Problem("image cannot be read", "broken"),
    "unreadable-mask": Problem("mask cannot be read", "broken"),
    "label-mask": Problem("mask whose values look like labels: state their meaning with --mask-values", "broken"),
    "bad-annotation": Problem("annotation cannot be understood", "broken"),
    "no-mask": Problem("image without a mask", "left out"),
    "no-image": Problem("mask or annotation without an image", "left out"),
    "ambiguous": Problem("several files of one name", "left out"),
    "size-mismatch": Problem("image and mask differ in size", "left out"),
    "small-image": Problem("photograph smaller than a patch of the model", "left out"),
    "empty-mask": Problem("mask without a pixel", "left out"),
    "non-binary-mask": Problem("mask with values between none and all: cut at half", "read"),
    "few-points": Problem("polygon of fewer than three points beside others: left out alone", "read"),
    "zero-one-mask": Problem("mask with values 0 and 1: 1 taken as the object", "read"),
    "two-value-mask": Problem("mask with the values 0 and one other: that one taken as the object", "read"),
    "alpha-mask": Problem("mask held in the alpha channel", "read"),
    "no-value": Problem("mask with pixels without a value (NaN or nodata): they count nowhere", "read"),
    "foreign-image": Problem("image that by its name is not of this data set", "read"),
    "several-pictures": Problem("file of several pictures: the main one was taken", "read"),
    "chosen-range": Problem("image whose file does not state its range of values: scaled by rule", "read"),
    "hidden-image": Problem("image hidden by its alpha channel: read as white", "read"),
    "odd-image": Problem("image of which a part was not used", "read"),
    "crowd": Problem("crowd annotation", "ignored"),
    "no-object": Problem("image in which nothing is annotated", "ignored"),
    "superpixels": Problem("super-pixel file among the images", "ignored"),
    "other-file": Problem("file that is no image", "ignored"),
}


@dataclass(frozen=True)
class Issue:
    """One problem: `problem` is a key of `PROBLEMS`, `where` a file or annotation, `detail` the details."""

    problem: str
    where: str
    detail: str = ""

    def __post_init__(self) -> None:
        if self.problem not in PROBLEMS:
            raise InputError(f"problem={self.problem!r}: known are {', '.join(PROBLEMS)}")

    @property
    def policy(self) -> Policy:
        return PROBLEMS[self.problem].policy

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.where}: {PROBLEMS[self.problem].title}{detail}"


class Issues:
    """A growing list of issues, with counts."""

    def __init__(self, issues: Iterable[Issue] = ()) -> None:
        self._issues = list(issues)

    def add(self, issue: Issue) -> None:
        self._issues.append(issue)

    def extend(self, issues: Iterable[Issue]) -> None:
        self._issues.extend(issues)

    def __iter__(self) -> Iterator[Issue]:
        return iter(self._issues)

    def __len__(self) -> int:
        return len(self._issues)

    def counts(self) -> dict[str, int]:
        """Number of issues per problem that occurs, in the order of `PROBLEMS`."""
        counts = Counter(issue.problem for issue in self._issues)
        return {problem: counts[problem] for problem in PROBLEMS if problem in counts}

    @property
    def broken(self) -> list[Issue]:
        """Issues after which a command ends with a status other than 0."""
        return [issue for issue in self._issues if issue.policy == "broken"]

    def lines(self, names: int = 3) -> list[str]:
        """Text for people: one line per problem, with its count, its policy and the first `names` places."""
        lines = []
        for problem, count in self.counts().items():
            places = [issue.where for issue in self._issues if issue.problem == problem]
            more = ", ..." if count > names else ""
            title, policy = PROBLEMS[problem].title, PROBLEMS[problem].policy
            lines.append(f"{count} x {title} [{policy}]: {', '.join(places[:names])}{more}")
        return lines

    def to_list(self) -> list[dict[str, Any]]:
        """For JSON: one object per issue; `Issue(**entry)` reads it back."""
        return [asdict(issue) for issue in self._issues]


class SampleError(BasamError, ValueError):
    """A sample that cannot be used at all. The rest of its data set can.

    Attributes:
        issue: why, in one.
        issues: all problems, such as one for every annotation; by default only `issue`.
    """

    def __init__(self, issue: Issue, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(issue, issues)
        self.issue = issue
        self.issues = issues or (issue,)

    def __str__(self) -> str:
        return str(self.issue)


class DatasetError(BasamError, ValueError):
    """A data set that cannot be opened: wrong root, unknown split, missing folder. The message names what is there."""
