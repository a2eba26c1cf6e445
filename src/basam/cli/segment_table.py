"""What `basam segment` prints: a table that fits 80 columns and paths that can be copied, or one JSON list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from basam.cli import console

# Photos that get a line each in the table; of more there is a summary, and everything in the records.
LINES = 20


class Summary:
    """What became of all photos: rows of the first ones for a table, sums of all; nothing grows with the number of photos but
    the list of failures, up to `MOST_NAMED` of them."""

    columns: tuple[str, ...] = ("size", "region", "tokens", "x trained", "lambda", "slope", "s", "IoU")

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.photos = self.before = self.failed = self.done = self.masks = self.tokens = 0
        self.seconds = 0.0
        self.failures: list[str] = []

    def add(self, outcome: Any) -> None:
        """Count an `Outcome` or a `PhotoForecast`."""
        self.photos += 1
        self.before += outcome.before
        if outcome.error is not None:
            self.left_out(named(outcome.photo, outcome.error))
            return
        for fault in outcome.faults:
            self.left_out(fault if str(outcome.photo) in fault else f"{outcome.photo}: {fault}")
        self.done += 1
        self.masks += len(outcome.rows)
        self.tokens += sum(row["tokens"] for row in outcome.rows)
        self.seconds += self.seconds_of(outcome)
        if self.done <= LINES:
            self.rows += outcome.rows

    def seconds_of(self, outcome: Any) -> float:
        return float(outcome.rows[0]["seconds"])

    def left_out(self, line: str) -> None:
        """A photo or a prompt that could not be done, by its name and the reason."""
        self.failed += 1
        if self.failed <= console.MOST_NAMED:
            self.failures.append(f"failed: {line}")
        elif self.failed == console.MOST_NAMED + 1:
            self.failures.append("")
        if self.failed > console.MOST_NAMED:
            self.failures[-1] = f"failed: {self.failed - console.MOST_NAMED} more"

    def show(self) -> None:
        """The table of a few photos, or one line about many."""
        if not self.masks:
            return
        if self.done > LINES:
            console.say(self.in_a_line())
            return
        table = console.new_table(self.columns, texts=("size", "region"))
        for row in self.rows:
            table.add_row(*self.cells(row))
        console.show(table)
        self.show_below()

    def in_a_line(self) -> str:
        mean = self.tokens / self.masks
        return f"{self.masks} masks of {self.done} photos, {mean:.0f} tokens each on average, {self.seconds:.1f} s"

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        slope = "learned" if row["slope"] is None else f"{row['slope']:.3f}"
        return *cells_of_view(row), slope, f"{row['seconds']:.1f}", f"{row['predicted_iou']:.2f}"

    def show_below(self) -> None:
        for row in self.rows:
            console.say(row["mask"])


class Forecasts(Summary):
    """What a run would do. A photo that is done already costs nothing."""

    columns = ("size", "region", "tokens", "x trained", "lambda", "memory", "about s")

    def __init__(self) -> None:
        super().__init__()
        self.memory = 0

    def add(self, outcome: Any) -> None:
        super().add(outcome)
        self.memory = max(self.memory, outcome.memory)

    def seconds_of(self, outcome: Any) -> float:
        return float(outcome.seconds)

    def in_a_line(self) -> str:
        mean = self.tokens / self.masks
        return f"{self.masks} masks of {self.done} photos, {mean:.0f} tokens each on average"

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        if "memory" not in row:
            return *cells_of_view(row), "", "done"
        return *cells_of_view(row), in_bytes(row["memory"]), in_seconds(row["seconds"])

    def show(self) -> None:
        super().show()
        if self.masks:
            console.say(
                f"encoding takes about {in_seconds(self.seconds)} s in all, at most about {in_bytes(self.memory)} of memory"
            )

    def show_below(self) -> None:
        pass


def cells_of_view(row: dict[str, Any]) -> tuple[str, ...]:
    """Size, region, tokens, their ratio to the trained ones, lambda."""
    size, ratio = f"{row['width']}x{row['height']}", f"{row['tokens_ratio']:.2f}"
    return size, in_words(row["region"]), str(row["tokens"]), ratio, f"{row['lambda']:.3f}"


def in_words(region: list[int] | str | None) -> str:
    if region is None or isinstance(region, str):
        return region or "whole"
    return f"{region[2]}x{region[2]}+{region[0]}+{region[1]}"


def in_bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def in_seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 1 else f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"


def line_of(photo: Any, rows: list[dict[str, Any]], error: str | None) -> str:
    """What was done with one photo."""
    if error is not None:
        return f"{photo}: left out"
    views = ", ".join(dict.fromkeys(f"{in_words(row['region'])} ({row['tokens']} tokens)" for row in rows))
    first = rows[0]
    masks = "1 mask" if len(rows) == 1 else f"{len(rows)} masks"
    return f"{photo}: {first['width']} x {first['height']} px, {masks} on {views}, {in_seconds(first['seconds'])} s"


def named(photo: Any, error: str) -> str:
    """An error with the photo's name, once."""
    return error if error.startswith(str(photo)) else f"{photo}: {error}"


class JsonList:
    """One JSON list on standard output, a row a line, each there as soon as it is known; `shown` False prints nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        if self.shown:
            print("[\n" if self.count == 0 else ",\n", json.dumps(row, allow_nan=False), sep="", end="", flush=True)
            self.count += 1


@contextmanager
def json_list(shown: bool) -> Iterator[JsonList]:
    """The list is closed however the block ends, also by Ctrl-C."""
    rows = JsonList(shown)
    try:
        yield rows
    finally:
        if shown:
            print("[]" if rows.count == 0 else "\n]", flush=True)
