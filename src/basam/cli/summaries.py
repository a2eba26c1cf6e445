"""The output of `segment` and `everything`: a table that fits 80 columns and paths to copy, or one JSON list."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from basam.cli import console

# Most photos with a line each in the table; more get a summary, and details are in the records.
LINES = 20
# Columns that --verbose adds.
DETAILS = ("tokens", "ratio", "lambda", "slope")
# Most rows of masks: one photo may have hundreds.
ROWS = 60


class Summary(ABC):
    """Results of all photos: rows of the first masks for a table, sums of all; memory does not grow with the number of photos.

    Attributes:
        empty_kind: what `empty` counts, in words.
    """

    empty_kind = ""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.photos = self.before = self.failed = self.done = self.masks = self.listed = self.empty = 0
        self.seconds = 0.0
        self.failures: list[str] = []
        self.without: list[str] = []  # names of the first empty results

    def add(self, outcome: Any) -> None:
        """Count a photo."""
        self.photos += 1
        self.before += outcome.before and not outcome.notes  # with a note, its results come from another kind of run
        if outcome.error is not None:
            self.left_out(named(outcome.photo, outcome.error))
            return
        for fault in outcome.faults:
            self.left_out(fault if str(outcome.photo) in fault else f"{outcome.photo}: {fault}")
        self.done += 1
        self.masks += self.masks_of(outcome)
        self.seconds += self.seconds_of(outcome)
        self.listed += len(outcome.rows)
        self.rows += outcome.rows[: max(0, ROWS + 1 - len(self.rows))]

    def masks_of(self, outcome: Any) -> int:
        return len(outcome.rows)

    def seconds_of(self, outcome: Any) -> float:
        return float(outcome.rows[0]["seconds"]) if outcome.rows else 0.0

    def left_out(self, line: str) -> None:
        """Add a photo or a prompt that failed, with the reason."""
        self.failed += 1
        if self.failed <= console.MOST_NAMED:
            self.failures.append(f"failed: {line}")

    def new_failures(self) -> list[str]:
        """Failures that were not printed yet."""
        new, self.failures = self.failures, []
        return new

    def add_empty(self, line: str) -> None:
        """Add an empty mask, or a photo without masks."""
        self.empty += 1
        self.without += [line] if self.empty <= console.MOST_NAMED else []

    def show(self) -> None:
        """Print the table of a few photos, or one line about many."""
        if not self.done:
            return
        if self.done > LINES or self.listed > ROWS:
            console.say(self.in_a_line())
        else:
            self.show_table()

    def in_a_line(self) -> str:
        return f"{self.masks} masks of {self.done} photos, {self.seconds:.1f} s"

    @abstractmethod
    def show_table(self) -> None:
        """Rows of the first photos."""

    def line_of(self, outcome: Any) -> str:
        """One line about a photo."""
        if outcome.error is not None:
            return f"{outcome.photo}: left out"
        if not outcome.rows:
            return f"{outcome.photo}: left as it is"
        first = outcome.rows[0]
        masks = self.masks_of(outcome)
        count = "1 mask" if masks == 1 else f"{masks} masks"
        when = ", done already" if outcome.before else f", {in_seconds(self.seconds_of(outcome))} s"
        return f"{outcome.photo}: {first['width']} x {first['height']} px, {count}{self.seen(outcome)}{when}"

    def seen(self, outcome: Any) -> str:
        """What the masks of a photo were predicted on, for a line."""
        return ""

    def notes(self) -> list[str]:
        """Notes on the whole work."""
        more = self.empty - len(self.without)
        lines = [f"note: {line}" for line in self.without] + ([f"note: {more} more {self.empty_kind}"] if more else [])
        if not self.before:
            return lines
        done = f"{self.before} of {self.photos} photos were done already with these settings"
        return [*lines, f"note: {done}; --overwrite repeats them"]


class PromptSummary(Summary):
    """Photos with prompts: one row per mask.

    Args:
        verbose: with the columns in `DETAILS`.
    """

    empty_kind = "empty masks"
    columns: tuple[str, ...] = ("size", "region", "tokens", "ratio", "lambda", "slope", "s", "IoU")

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__()
        self.tokens, self.verbose = 0, verbose

    def add(self, outcome: Any) -> None:
        super().add(outcome)
        self.tokens += sum(row["tokens"] for row in outcome.rows)
        for number, row in enumerate(outcome.rows, start=1):
            if row.get("area") == 0:
                which = f"mask {number}" if len(outcome.rows) > 1 else "the mask"
                self.add_empty(f"{outcome.photo}: {which} is empty, with a predicted IoU of {row['predicted_iou']:.2f}")

    def in_a_line(self) -> str:
        mean, empty = self.tokens / self.masks, f" ({self.empty} empty)" if self.empty else ""
        return f"{self.masks} masks{empty} of {self.done} photos, {mean:.0f} tokens per mask on average, {self.seconds:.1f} s"

    def show_table(self) -> None:
        scored = any(row.get("object_score") is not None for row in self.rows)
        shown = [name for name in self.columns if self.verbose or name not in DETAILS]
        table = console.new_table(("", *shown, *(["object"] if scored else [])), texts=("size", "region"))
        for number, row in enumerate(self.rows, start=1):
            cells = dict(zip(self.columns, self.cells(row), strict=True))
            table.add_row(str(number), *(cells[name] for name in shown), *([f"{row['object_score']:.2f}"] if scored else []))
        console.show(table)
        self.show_below()

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        slope = "learned" if row["slope"] is None else f"{row['slope']:.3f}"
        return *cells_of_view(row), slope, f"{row['seconds']:.1f}", f"{row['predicted_iou']:.2f}"

    def show_below(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            console.say(f"{number} {row['photo']} -> {row['mask']}" if "mask" in row else f"{number} {row['photo']}")

    def seen(self, outcome: Any) -> str:
        views = dict.fromkeys(f"{in_words(row['region'])} ({row['tokens']} tokens)" for row in outcome.rows)
        return " on " + (", ".join(views) if len(views) <= 3 else f"{len(views)} regions")


class PlanSummary(PromptSummary):
    """What a run would do; finished photos are marked."""

    def __init__(self) -> None:
        super().__init__(verbose=True)

    columns = ("size", "region", "tokens", "ratio", "lambda", "encodings")

    def seconds_of(self, outcome: Any) -> float:
        return 0.0

    def in_a_line(self) -> str:
        mean = self.tokens / self.masks
        return f"{self.masks} masks of {self.done} photos, {mean:.0f} tokens per mask on average"

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        return *cells_of_view(row), str(row.get("encodings", "done"))

    def show_below(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            console.say(f"{number} {row['photo']}")

    def notes(self) -> list[str]:
        return []


class EverythingSummary(Summary):
    """Photos segmented without prompts: one row per photo.

    Args:
        thresholds: of masks, in words.
    """

    empty_kind = "photos without a mask"

    def __init__(self, thresholds: str) -> None:
        super().__init__()
        self.thresholds = thresholds

    def add(self, outcome: Any) -> None:
        super().add(outcome)
        for row in outcome.rows:
            if not row["masks"]:
                self.add_empty(f"{row['photo']}: no mask reaches {self.thresholds}{best_of(row)}; its files are empty")

    def masks_of(self, outcome: Any) -> int:
        return sum(row["masks"] for row in outcome.rows)

    def show_table(self) -> None:
        table = console.new_table(("photo", "size", "masks", "best IoU", "s"), texts=("photo", "size"))
        for row in self.rows:
            best = "" if row["best_iou"] is None else f"{row['best_iou']:.2f}"
            size = f"{row['width']}x{row['height']}"
            table.add_row(console.shown(Path(row["photo"]).name), size, str(row["masks"]), best, f"{row['seconds']:.1f}")
        console.show(table)


def best_of(row: dict[str, Any]) -> str:
    """The highest scores of a photo without masks."""
    names = {"highest_iou": "predicted IoU", "highest_stability": "stability"}
    known = [f"{words} {row[name]:.2f}" for name, words in names.items() if row.get(name) is not None]
    return f" (the highest: {', '.join(known)})" if known else ""


def cells_of_view(row: dict[str, Any]) -> tuple[str, ...]:
    """Size, region, tokens, their ratio to the training token count, lambda."""
    size, ratio = f"{row['width']}x{row['height']}", f"{row['tokens_ratio']:.2f}"
    return size, in_words(row["region"]), str(row["tokens"]), ratio, f"{row['lambda']:.3f}"


def in_words(region: Sequence[int] | str | None) -> str:
    if region is None or isinstance(region, str):
        return region or "whole"
    return f"{region[2]}x{region[2]}+{region[0]}+{region[1]}"


def in_seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 1 else f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"


def named(photo: Any, error: str) -> str:
    """An error with the photo's name, once."""
    return error if error.startswith(str(photo)) else f"{photo}: {error}"
