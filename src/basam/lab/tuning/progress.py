"""What a person sees of a training run: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Shows steps done, loss, steps per second and the time left, on standard error.

    Args:
        done, total: steps.
        every: steps between two lines where there is no terminal.
        shown: False for all processes but one.
    """

    def __init__(self, done: int, total: int, every: int, shown: bool = True) -> None:
        self.console = Console(stderr=True, quiet=not shown, markup=False)
        self.total, self.every = total, every
        self.start, self.first = time.monotonic(), done
        columns = "[progress.description]{task.description}", "{task.fields[note]}"
        self.bar = Bar(
            *(TextColumn(columns[0]), BarColumn(), MofNCompleteColumn(), TextColumn(columns[1])),
            *(TimeElapsedColumn(), TimeRemainingColumn()),
            console=self.console,
            speed_estimate_period=300,
            disable=not (shown and self.console.is_terminal),
        )
        self.task = self.bar.add_task("training", total=total, completed=done, note="")
        self.means: dict[str, float] = {}

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()

    def advance(self, done: int, means: dict[str, float]) -> None:
        """`done` steps are done; `means` of the last one, smoothed here over about 50 steps."""
        for name, value in means.items():
            self.means[name] = self.means.get(name, value) + 0.02 * (value - self.means.get(name, value))
        rate = (done - self.first) / max(1e-9, time.monotonic() - self.start)
        others = "".join(f"  {name} {value:.3f}" for name, value in self.means.items() if name not in ("loss", "rate"))
        note = f"loss {self.means['loss']:.4f}{others}  {rate:.2f} steps/s"
        self.bar.update(self.task, completed=done, note=note)
        if self.bar.disable and (done % self.every == 0 or done == self.total):
            left = (self.total - done) / max(rate, 1e-9)
            self.console.print(f"step {done}/{self.total}  {note}  {left / 60:.1f} min left", highlight=False, soft_wrap=True)
