"""The work behind `basam calibrate`: calibrate with or without masks, print the table, write the mode."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from basam.data import image_files, open_dataset
from basam.evaluation.calibration import findings as report
from basam.evaluation.calibration import labelled, plot_calibration, unlabelled
from basam.files import require
from basam.model import write_mode
from basam.predict import Predictor


@dataclass(frozen=True)
class CalibrationJob:
    """What both kinds of calibration need.

    Raises:
        OSError: `out` could not be written; better said before the work than after it.
    """

    model: str
    device: str
    sizes: list[int]
    seed: int
    out: Path
    errors: Console

    def __post_init__(self) -> None:
        folder = self.out.absolute().parent
        if self.out.is_dir():
            raise OSError(f"--out {self.out} is a folder: give the name of a file")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise OSError(f"--out {self.out}: the folder {folder} is missing or cannot be written")

    def with_masks(self, kind: str, root: Path, split: str, count: int, test_split: bool) -> bool:
        """Calibrate on a data set, print and write; False where a file of it was broken."""
        dataset = open_dataset(kind, root, split)
        labelled.check_split(dataset, test_split)
        with self.progress() as show:
            result = labelled.calibrate(
                self.predictor(),
                dataset,
                self.sizes,
                count=count,
                seed=self.seed,
                test_split_allowed=test_split,
                progress=show,
            )
        by = f"mean IoU with {' and '.join(map(str, labelled.PROMPTS))}"
        found = report.provenance(
            result.candidates, result.chosen, by=by, on=dataset.title, **self.given(), photos=result.photos
        )
        write_mode(self.out, result.chosen.mode, found)
        self.warn(result.issues.lines())
        Console().print(report.table(result.candidates, result.chosen, self.sizes, "mean IoU"))
        return not result.issues.broken

    def without_masks(self, folder: Path, slopes: list[float] | None, count: int, plot: Path) -> bool:
        """Calibrate on a folder of photographs, print, plot and write; False where one could not be read."""
        require("matplotlib", "evaluate")  # missing, it is missed before the work rather than after it
        if not folder.is_dir():
            raise FileNotFoundError(f"--unlabelled {folder}: no such folder")
        modes = None if slopes is None else unlabelled.modes_to_try(slopes=slopes)
        with self.progress() as show:
            result = unlabelled.calibrate_unlabelled(
                self.predictor(),
                image_files(folder),
                self.sizes,
                modes=modes,
                count=count,
                seed=self.seed,
                progress=lambda done, total: show("photographs", done, total),
            )
        names = [Path(photo).name for photo in result.photos]
        by = "attention closest to that at the trained size"
        found = report.provenance(result.candidates, result.chosen, by=by, on=str(folder), **self.given(), photos=names)
        write_mode(self.out, result.chosen.mode, found)
        plot_calibration(plot, result, f"{self.model}, {len(names)} photographs of {folder.name}")
        self.warn([f"left out: {reason}" for reason in result.unreadable])
        Console().print(report.table(result.candidates, result.chosen, self.sizes, "closeness"))
        Console().print(f"wrote {plot}", markup=False, highlight=False, soft_wrap=True)
        return not result.unreadable

    def given(self) -> dict[str, object]:
        return {"model": self.model, "sizes": self.sizes, "seed": self.seed}

    def predictor(self) -> Predictor:
        return Predictor.from_pretrained(self.model, device=torch.device(self.device), max_side=max(self.sizes))

    def warn(self, lines: list[str]) -> None:
        for line in lines:
            self.errors.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, int, int], None]]:
        """A bar on the terminal, one line a pass over the photographs."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.errors, transient=True) as bars:
            tasks = {}

            def show(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                bars.update(tasks[name], completed=done)

            yield show
