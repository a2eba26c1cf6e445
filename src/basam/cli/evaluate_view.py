"""What `basam evaluate` shows: a progress bar while it runs, a table at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Columns of the table on the terminal, which is narrow; the rest is in summary.csv.
SHOWN = ("ap", "s_measure", "weighted_f", "f_max", "mae", "iou", "boundary_iou", "hce")


class Rate(progress.ProgressColumn):
    """Images a second."""

    def render(self, task: progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.2f} images/s", style="progress.data.speed")


class RunBar:
    """Images done, images/s and time left; of the main process, where several share the run."""

    def __init__(self, console: Console) -> None:
        columns = (
            progress.TextColumn("images"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            Rate(),
            progress.TimeRemainingColumn(),
        )
        # Encoding one image may take a minute: the speed is that of the last hour.
        self.progress = progress.Progress(*columns, console=console, speed_estimate_period=3600)
        self.task: progress.TaskID | None = None

    def __enter__(self) -> RunBar:
        self.progress.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.progress.stop()

    def show(self, done: int, whole: int) -> None:
        if self.task is None:
            self.task = self.progress.add_task("images", total=whole)
        self.progress.update(self.task, completed=done)


def show(summary: dict[str, Any], issues: Any, folder: Path, console: Console, errors: Console) -> None:
    """The table of a run, the problems of its data and where the report is."""
    from basam.evaluation.metrics import COLUMNS

    rows = summary["rows"]
    columns = [name for name in SHOWN if any(row.get(name) is not None for row in rows)]
    table = Table(title=f"{summary['data']}, {summary['images']} images", box=None, header_style="bold", pad_edge=False)
    for name in ("prompt", "method", "size"):
        table.add_column(name, no_wrap=True)
    for name in ("objects", *(COLUMNS[column].title for column in columns)):
        table.add_column(name, justify="right")
    for row in rows:
        figures = ["-" if row.get(name) is None else f"{row[name]:.3f}" for name in columns]
        table.add_row(row["prompt"], row["method"], str(row["size"]), str(row["count"]), *figures)
    console.print(table)
    if summary["stand-in"]:
        console.print("stand-in data: these are no figures of the data set whose layout it has", style="yellow")
    for line in issues.lines():
        errors.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for issue in issues.broken:
        errors.print(f"left out: {issue}", style="red", markup=False, highlight=False, soft_wrap=True)
    console.print(str(folder / "report.html"), markup=False, highlight=False, soft_wrap=True)
