"""`basam benchmark`: a base and adapters on several data sets -> one table."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from basam.cli.options import (
    Device,
    EncoderDtype,
    Limit,
    LongSides,
    MetricWorkers,
    ModelName,
    PromptSeed,
    parse_sizes,
    split_names,
)


def benchmark(
    data: Annotated[
        list[str], typer.Option(metavar="KIND:ROOT[:SPLIT]", help="What to measure on; its test split. Repeatable.")
    ],
    adapter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FOLDER[@KIND,KIND]", help="Rows of the table; a specialist with @KIND. Repeatable."),
    ] = None,
    model: ModelName = "nano",
    sizes: LongSides = "native",
    prompts: Annotated[str, typer.Option(help="As for basam evaluate.")] = "gt-box,gt-point",
    mode: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The correction of the base.", show_default="BiasMode()")
    ] = None,
    limit: Limit = None,
    seed: PromptSeed = 0,
    dtype: EncoderDtype = "float32",
    device: Device = "cpu",
    workers: MetricWorkers = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs; those in it go on.")] = Path("runs/benchmark"),
) -> None:
    """Compare a base with adapters, each with and without the correction, on the test splits of several data sets.

    An adapter with @KIND is a specialist: measured on data of these kinds only, with its correction.
    OUT gets benchmark.md, benchmark.json, a plot a prompt, and below runs/ what basam evaluate writes.
    """
    long_sides, names = parse_sizes(sizes), split_names("--prompts", prompts)

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    errors = Console(stderr=True)
    try:
        from basam.data import PromptSpec
        from basam.evaluation.benchmarking import BenchmarkEntry, BenchmarkSettings, page
        from basam.evaluation.benchmarking import benchmark as run
        from basam.files import write_text
        from basam.model import read_mode

        settings = BenchmarkSettings(
            tuple(data),
            tuple(map(BenchmarkEntry.parse, adapter or ())),
            model,
            long_sides,
            tuple(PromptSpec.parse(name) for name in names),
            limit,
            seed,
            None if mode is None else read_mode(mode),
            dtype,
            device,
        )
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors, transient=True) as bars:
            tasks: dict[str, TaskID] = {}

            def show(label: str, done: int, whole: int) -> None:
                if label not in tasks:
                    tasks[label] = bars.add_task(label, total=whole)
                bars.update(tasks[label], completed=done)

            result = run(settings, out, workers=workers, command=["basam", *sys.argv[1:]], progress=show)
        plots = [
            page.plot(result, name, out / f"iou_{re.sub(r'[^a-z0-9]+', '-', name)}.png") for name in map(str, settings.prompts)
        ]
        write_text(out / "benchmark.md", [page.markdown(result)])
    except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    for prompt, size in page.settings_of(result):
        Console().print(page.table(result, prompt, size))
    for line in result.issues.lines():
        errors.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for path in (out / "benchmark.md", *plots):
        typer.echo(path)
    if result.issues.broken:
        raise typer.Exit(1)
