"""Everything the command line prints: results to standard output, notes, errors and progress to standard error.

Texts are printed without markup: file names and messages may contain brackets.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from basam.errors import BasamError, reason_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn
    from rich.table import Table

    from basam.lab.data import Issues

DEBUG = "BASAM_DEBUG"  # environment variable of --debug
# Exit statuses; the last two as set by shells for Ctrl-C and SIGTERM.
NOTHING_DONE, SOME_FAILED, STOPPED, TERMINATED = 2, 1, 130, 143
MOST_NAMED = 20  # files that are named one by one
SECONDS_BETWEEN_LINES = 30  # of progress without a terminal
LONGEST_WORD = 24  # of a table, in columns of the terminal


def console(stderr: bool = False) -> Console:
    """rich's console, created per call so that it follows redirected streams."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


def shown(text: object) -> str:
    """A printable text: file names may contain invalid bytes or terminal escapes."""
    whole = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(repr(char)[1:-1] if char < " " and char not in "\n\t" else char for char in whole)


def say(*lines: object) -> None:
    """Print results, one per line, without breaking lines."""
    for line in lines:
        console().print(shown(line))


def note(*lines: object) -> None:
    """Print notes for the user, beside the results."""
    for line in lines:
        console(stderr=True).print(shown(line), style="yellow")


def report(line: object) -> None:
    """Print progress, beside the results."""
    console(stderr=True).print(shown(line))


def report_device(name: str) -> None:
    """Print the device that `name` means, before the work; in the main one of several processes only."""
    from basam.model import device_name, find_device

    if os.environ.get("RANK", "0") == "0":
        report(f"device: {device_name(find_device(name))}")


def failure(*lines: object) -> None:
    for line in lines:
        console(stderr=True).print(shown(line), style="red")


def problems(issues: Issues) -> None:
    """Print problems of data: kinds of problems with their counts, and broken files by name."""
    note(*issues.lines())
    failure(*(f"left out: {issue}" for issue in issues.broken[:MOST_NAMED]))
    if len(issues.broken) > MOST_NAMED:
        failure(f"left out: {len(issues.broken) - MOST_NAMED} more")


def new_table(columns: Iterable[str], *, title: str | None = None, texts: Sequence[str] = (), header: bool = True) -> Table:
    """A table without rules; columns named in `texts` are aligned left and folded, others right."""
    from rich.table import Table

    table = Table(title=title, box=None, header_style="bold", pad_edge=False, show_header=header)
    for name in columns:
        table.add_column(name, justify="left" if name in texts else "right", overflow="fold")
    return table


def show(table: Table) -> None:
    """Print a table. On a narrow terminal headings and texts take several lines and gaps are smaller; numbers and words are not
    broken, except long names. If that is not enough, lines are longer than the terminal.
    """
    from rich.cells import cell_len
    from rich.console import Console

    for column in table.columns:
        cells = [str(cell) for cell in column.cells]
        words = [*str(column.header).split(), *(cells if column.justify == "right" else " ".join(cells).split())]
        column.min_width = min(max(map(cell_len, words), default=0), LONGEST_WORD)
    console = Console(markup=False, emoji=False, highlight=False)
    table.collapse_padding = sum((column.min_width or 0) + 2 for column in table.columns) - 2 > console.width
    console.print(table, crop=False)


class Bars:
    """Progress bars on standard error, one per label, removed when the block ends; without a terminal a line now and then.

    Args:
        unit: of the speed, such as `images`; `bytes` for sizes of files; empty: no speed.
        shown: False hides them.
    """

    def __init__(self, unit: str = "", shown: bool = True) -> None:
        from rich.progress import Progress

        self.lines = shown and not console(stderr=True).is_terminal
        self.began = self.reported = time.monotonic()
        # Encoding one image may take a minute, so the speed is averaged over an hour.
        self.progress = Progress(
            *columns(unit),
            console=console(stderr=True),
            transient=True,
            disable=not shown or self.lines,
            speed_estimate_period=30 if unit == "bytes" else 3600,
        )
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *failure: object) -> None:
        if self.tasks:
            self.progress.stop()

    def show(self, label: str, done: int, whole: int | None) -> None:
        """Set the bar of `label` to `done` of `whole`; the first call shows the bars."""
        if self.lines:
            self.report(label, done, whole)
            return
        if not self.tasks:
            self.progress.start()
        if label not in self.tasks:
            self.tasks[label] = self.progress.add_task(label, total=whole)
        self.progress.update(self.tasks[label], completed=done, total=whole)

    def report(self, label: str, done: int, whole: int | None) -> None:
        """Print a line now and then if there is no terminal, for example in the log of a batch job."""
        now = time.monotonic()
        if now - self.reported < SECONDS_BETWEEN_LINES:
            return
        self.reported = now
        left = "" if whole is None or not done else f", about {time_in_words((now - self.began) / done * (whole - done))} left"
        report(f"{label}: {done}" + ("" if whole is None else f" of {whole}") + left)


def time_in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def columns(unit: str) -> list[ProgressColumn]:
    from rich import progress
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.2f} {unit}/s", style="progress.data.speed")

    middle: list[ProgressColumn] = [progress.MofNCompleteColumn()]
    if unit == "bytes":
        middle = [progress.DownloadColumn(), progress.TransferSpeedColumn()]
    elif unit:
        middle.append(Rate())
    return [
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        *middle,
        progress.TimeRemainingColumn(),
    ]


class JsonList:
    """A JSON list on standard output, one row per line, printed as soon as it is known; `shown` False prints nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        if self.shown:
            print("[\n" if self.count == 0 else ",\n", json.dumps(row, allow_nan=False), sep="", end="", flush=True)
            self.count += 1


@contextmanager
def json_list(shown: bool) -> Iterator[JsonList]:
    """Close the list however the block ends, also by Ctrl-C."""
    rows = JsonList(shown)
    try:
        yield rows
    finally:
        if shown:
            print("[]" if rows.count == 0 else "\n]", flush=True)


@dataclass
class Debugging:
    """Whether errors come with their traceback, as set by --debug."""

    on: bool = False


DEBUGGING = Debugging()


def reason(error: BaseException) -> str | None:
    """The message of an error whose cause is outside the program; None for a bug, and for all errors with `--debug`."""
    return None if DEBUGGING.on else reason_of(error)


class TerminatedError(KeyboardInterrupt):
    """SIGTERM: the work ends as with Ctrl-C, so that workers and their semaphores are cleaned up."""


def stop_on_sigterm() -> None:
    """Let SIGTERM, as sent by batch systems and `timeout`, end this process cleanly, and its forks at once."""
    main = os.getpid()

    def end(number: int, frame: object) -> None:
        if os.getpid() != main:
            os._exit(TERMINATED)
        raise TerminatedError

    signal.signal(signal.SIGTERM, end)


@contextmanager
def one_line_errors(*, resumes: bool = False) -> Iterator[None]:
    """Turn an error whose cause is outside the program into one line and exit status 2; a bug shows its traceback.

    Args:
        resumes: whether running the command again resumes; printed when it is stopped.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        note("stopped" + ("; the same command resumes" if resumes else ""))
        raise typer.Exit(TERMINATED if isinstance(stop, TerminatedError) else STOPPED) from None
    except (BasamError, OSError, MemoryError, RuntimeError) as error:
        line = reason(error)
        if line is None:
            raise
        failure(f"error: {line}")
        raise typer.Exit(NOTHING_DONE) from error


def command_words() -> list[str]:
    """The command line, for records."""
    return ["basam", *sys.argv[1:]]
