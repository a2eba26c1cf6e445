"""`basam scenes`: write generated scenes in the folder layout of a data set, or a contact sheet of them."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import Bars, one_line_errors
from basam.errors import InputError, WorkerError, naming_memory


def scenes(
    out: Annotated[Path | None, typer.Option(help="Folder to write the data set to; a stopped run resumes.")] = None,
    domain: Annotated[str | None, typer.Option(help="thin, salient, lesion, camouflage or crowd.")] = None,
    count: Annotated[int, typer.Option(help="Number of scenes (of every domain, on a sheet).")] = 8,
    size: Annotated[int, typer.Option(help="Side of the square pictures in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="Number of the first scene within its split.")] = 0,
    split: Annotated[
        str, typer.Option(help="train, val or test, or the data set's own name for a split, such as DIS-TE1.")
    ] = "train",
    workers: Annotated[int, typer.Option(help="Processes that render in parallel; 0: one per core.")] = 0,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet (PNG) of one or all domains instead of a data set.")
    ] = None,
) -> None:
    """Generate scenes with exact masks at any size, in the layout of DIS5K, DUTS, ISIC 2017, COD10K or COCO."""
    if (out is None) == (sheet is None):
        raise typer.BadParameter("give --out DIR for a data set or --sheet FILE for a contact sheet")
    with one_line_errors(resumes=True), naming_memory(size):
        try:
            if sheet is not None:
                _sheet(sheet, domain, count, size, seed)
            elif out is not None:
                _data_set(out, domain, count, size, seed, split, workers or os.cpu_count() or 1)
        except BrokenExecutor as error:
            raise WorkerError(
                "a worker process was ended, perhaps for lack of memory; run again with fewer --workers"
            ) from error


def _sheet(path: Path, domain: str | None, count: int, size: int, seed: int) -> None:
    from basam.lab.scenes import DOMAINS, write_sheet

    write_sheet(path, (domain,) if domain else DOMAINS, count, size, seed)
    console.say(f"wrote {path}")


def _data_set(out: Path, domain: str | None, count: int, size: int, seed: int, split: str, workers: int) -> None:
    from basam.lab.scenes import DATA_SETS, folders_of, write_scenes

    if domain is None:
        raise InputError(f"give --domain: {', '.join(DATA_SETS)}")
    folders = folders_of(domain, split)
    with Bars() as bars:
        label = f"{domain} {folders.split}"
        written, existing = write_scenes(
            out, domain, count, size, seed, split, workers, lambda done: bars.show(label, done, count)
        )
    already = f", {existing} existed already" if existing else ""
    console.say(f"wrote {written} scenes of {size} px to {out / folders.images}{already}")
