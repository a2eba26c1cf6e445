"""What is printed for people by commands and by long work: plain text, tables, progress.

Texts are printed without markup: file names and messages may contain brackets.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn
    from rich.table import Table

SECONDS_BETWEEN_LINES = 30  # of progress without a terminal


def console(stderr: bool = False) -> Console:
    """rich's console, created per call so that it follows redirected streams."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


def shown(text: object) -> str:
    """A printable text: file names may contain invalid bytes or terminal escapes."""
    whole = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(repr(char)[1:-1] if char < " " and char not in "\n\t" else char for char in whole)


def new_table(columns: Iterable[str], *, title: str | None = None, texts: Sequence[str] = (), header: bool = True) -> Table:
    """A table without rules; columns named in `texts` are aligned left and folded, others right."""
    from rich.table import Table

    table = Table(title=title, box=None, header_style="bold", pad_edge=False, show_header=header)
    for name in columns:
        table.add_column(name, justify="left" if name in texts else "right", overflow="fold")
    return table


class Bars:
    """Progress bars on standard error, one per label, removed when the block ends; without a terminal a line now and then.

    Args:
        unit: of the speed, such as `images`; `bytes` for sizes of files; empty: no speed.
        visible: False hides them.
        before: what was done before, which the estimate of the time left does not count.
    """

    def __init__(self, unit: str = "", visible: bool = True, before: int = 0) -> None:
        from rich.progress import Progress

        self.lines = visible and not console(stderr=True).is_terminal
        self.began = self.reported = time.monotonic()
        # Encoding one image may take a minute, so the speed is averaged over an hour.
        self.progress = Progress(
            *columns(unit),
            console=console(stderr=True),
            transient=True,
            disable=not visible or self.lines,
            speed_estimate_period=30 if unit == "bytes" else 3600,
        )
        self.tasks: dict[str, Any] = {}
        self.before = before

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *failure: object) -> None:
        if self.tasks:
            self.progress.stop()

    def show(self, label: str, done: int, whole: int | None, note: str = "") -> None:
        """Set the bar of `label` to `done` of `whole`, with a note beside it; the first call shows the bars."""
        if self.lines:
            self.report(label, done, whole, note)
            return
        if not self.tasks:
            self.progress.start()
        if label not in self.tasks:
            self.tasks[label] = self.progress.add_task(label, total=whole, completed=self.before, note="")
        self.progress.update(self.tasks[label], completed=done, total=whole, note=note)

    def report(self, label: str, done: int, whole: int | None, note: str) -> None:
        """Print a line now and then if there is no terminal, for example in the log of a batch job."""
        now = time.monotonic()
        if now - self.reported < SECONDS_BETWEEN_LINES:
            return
        self.reported = now
        line = f"{label}: {done}" + ("" if whole is None else f" of {whole}")
        if whole is not None and done > self.before:
            line += f", about {time_in_words((now - self.began) / (done - self.before) * (whole - done))} left"
        console(stderr=True).print(shown(line + note))


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
        progress.TextColumn("{task.fields[note]}", markup=False),
        progress.TimeRemainingColumn(),
    ]
