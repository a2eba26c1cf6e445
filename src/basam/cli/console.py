"""Everything the command line prints: results to standard output, notes, errors and progress to standard error.

Texts are printed without markup: file names and messages may contain brackets.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from basam.errors import BasamError, reason_of
from basam.printing import Bars as Bars
from basam.printing import console, shown
from basam.printing import new_table as new_table

if TYPE_CHECKING:
    from rich.table import Table

    from basam.lab.data import Issues

DEBUG = "BASAM_DEBUG"  # environment variable of --debug
# Exit statuses; the last two as set by shells for Ctrl-C and SIGTERM.
NOTHING_DONE, SOME_FAILED, STOPPED, TERMINATED = 2, 1, 130, 143
MOST_NAMED = 20  # files that are named one by one
LONGEST_WORD = 24  # of a table, in columns of the terminal


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
