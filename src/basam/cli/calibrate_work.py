"""The work behind `basam calibrate`: calibrate, print the table, write the mode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from basam.cli import console
from basam.cli.console import Bars
from basam.errors import FileError
from basam.files import check_extra
from basam.lab.calibration import calibrate_focus, labelled
from basam.lab.calibration import findings as report
from basam.lab.data import Source
from basam.model import device_name, find_device, model_fingerprint, read_mode_file, write_mode
from basam.predict import Predictor


@dataclass(frozen=True)
class CalibrationJob:
    """What choosing a mode and choosing crops have in common.

    Raises:
        OSError: `out` cannot be written; raised before the work.
    """

    model: str
    device: str
    sizes: list[int]
    count: int
    seed: int
    out: Path

    def __post_init__(self) -> None:
        folder = self.out.absolute().parent
        if self.out.is_dir():
            raise FileError(f"--out {self.out} is a folder: give the name of a file")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise FileError(f"--out {self.out}: the folder {folder} is missing or cannot be written")

    def mode(self, sources: Sequence[Source], test_split: bool, mask_values: str | None = None) -> bool:
        """Calibrate on data sets, print and write; False if a file of them is broken."""
        check_extra("evaluate")
        datasets = [source.open(source.split or "train", mask_values) for source in sources]
        labelled.check_datasets(datasets, test_split)
        with Bars() as bars:
            predictor = Predictor.from_pretrained(self.model, device=self.device, max_side=max(self.sizes))
            result = labelled.calibrate(
                predictor,
                datasets,
                self.sizes,
                count=self.count,
                seed=self.seed,
                test_split_allowed=test_split,
                progress=bars.show,
            )
        how = f"mean IoU with {' and '.join(map(str, labelled.PROMPTS))}"
        how += f", mask values {mask_values}" if mask_values is not None else ""
        provenance = report.provenance(
            result.candidates,
            result.chosen,
            how=how,
            data=list(result.photos),
            sizes=self.sizes,
            **self.given(),
            photos=result.photos,
        )
        write_mode(self.out, result.chosen.mode, provenance, fingerprint=model_fingerprint(predictor.model))
        console.problems(result.issues)
        console.show(report.table(result.candidates, result.chosen, self.sizes, "mean IoU"))
        return not result.issues.broken

    def focus(
        self,
        sources: Sequence[Source],
        test_split: bool,
        mask_values: str | None = None,
        larger: bool = False,
    ) -> bool:
        """Choose settings of regions on data sets with equal weights, print and write; False if a file is broken.

        The file's mode stays if it has one; otherwise it is the model's own.
        """
        check_extra("evaluate")
        datasets = [source.open(source.split or "train", mask_values) for source in sources]
        with Bars() as bars:
            predictor = Predictor.from_pretrained(self.model, device=self.device)
            if self.out.is_file():
                predictor.mode = read_mode_file(self.out).mode
            result = calibrate_focus(
                predictor,
                datasets,
                count=self.count,
                seed=self.seed,
                larger=larger,
                test_split_allowed=test_split,
                progress=bars.show,
            )
        provenance: dict[str, Any] = {
            "how": "mean IoU with gt-box and gt-point",
            "data": list(result.photos),
            **self.given(),
            "photos": result.photos,
            "candidates": result.rows(),
            "date": str(date.today()),
        }
        before = read_mode_file(self.out).found if self.out.is_file() else {}
        write_mode(
            self.out,
            predictor.mode,
            {**before, "focus": provenance},
            fingerprint=model_fingerprint(predictor.model),
            others={"focus": result.chosen.to_dict()},
        )
        console.problems(result.issues)
        table = console.new_table(("candidate", *result.photos, "mean IoU", "minus whole", "error", ""), texts=("candidate",))
        for candidate, row in zip(result.candidates, result.rows(), strict=True):
            numbers = [f"{value:.4f}" for value in (*row["by_data"].values(), row["mean"])]
            numbers += [f"{row['minus_whole']:+.4f}", f"{row['standard_error']:.4f}"]
            table.add_row(row["focus"], *numbers, "chosen" if result.is_chosen(candidate) else "")
        console.show(table)
        return not result.issues.broken

    def given(self) -> dict[str, object]:
        device = device_name(find_device(self.device))
        return {"model": self.model, "seed": self.seed, "device": device}
