"""The table of a calibration, and the provenance that `mode.json` stores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from rich.table import Table

import basam
from basam.lab.calibration.choice import Candidate, describe
from basam.lab.evaluation import paired_difference


def table(candidates: Sequence[Candidate], chosen: Candidate, sizes: Sequence[int], what: str) -> Table:
    """One row a candidate, plain SAM first: mean, the mean at every size, and the paired difference to plain SAM with its
    standard error.
    """
    out = Table(box=None, header_style="bold", pad_edge=False)
    for number, name in enumerate(("candidate", what, *(f"{size} px" for size in sizes), "minus plain", "error", "")):
        out.add_column(name, justify="left" if number == 0 else "right", no_wrap=number > 0)
    for candidate in candidates:
        difference, error = paired_difference(candidate.by_photo, candidates[0].by_photo)
        numbers = [f"{value:.4f}" for value in (candidate.mean, *candidate.by_size)]
        paired = ("", "") if candidate is candidates[0] else (f"{difference:+.4f}", f"{error:.4f}")
        mark = "chosen" if candidate is chosen else ""
        out.add_row(describe(candidate.mode), *numbers, *paired, mark, style="bold" if mark else None)
    return out


def provenance(candidates: Sequence[Candidate], chosen: Candidate, **more: Any) -> dict[str, Any]:
    """Plain JSON: what was given (`more`), and every candidate with its mean and its paired difference to plain SAM."""
    rows = []
    for candidate in candidates:
        difference, error = paired_difference(candidate.by_photo, candidates[0].by_photo)
        row = {"mode": describe(candidate.mode), "mean": candidate.mean, "by_size": candidate.by_size}
        rows.append(row | {"minus_plain": difference, "standard_error": error, "chosen": candidate is chosen})
    return {**more, "date": str(date.today()), "basam": basam.__version__, "candidates": rows}
