"""`basam benchmark`: a base and adapters on several data sets -> one table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import Bars, command_words, one_line_errors
from basam.cli.options import (
    Device,
    EncoderDtype,
    Limit,
    LongSides,
    MaskValues,
    MaxPixels,
    MetricWorkers,
    ModelName,
    PromptSeed,
    join,
    parse_sizes,
    split_names,
)
from basam.files import MAX_PIXELS
from basam.lab.benchmarking import BenchmarkEntry, BenchmarkSettings
from basam.lab.data import PromptSpec


def benchmark(
    data: Annotated[
        list[str], typer.Option(metavar="[NAME=]KIND:ROOT[:SPLIT]", help="What to measure on; its test split. Repeatable.")
    ],
    adapter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FOLDER[@KIND,KIND]", help="Rows of the table; a specialist with @KIND. Repeatable."),
    ] = None,
    model: ModelName = BenchmarkSettings.model,
    sizes: LongSides = join(BenchmarkSettings.sizes),
    prompts: Annotated[str, typer.Option(help="As for basam evaluate.")] = join(BenchmarkSettings.prompts),
    focus: Annotated[
        bool, typer.Option("--focus", help="Also measure everything on the regions of prompts, at their trained size.")
    ] = BenchmarkSettings.focus,
    mode: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The correction of the base.", show_default="the model's own")
    ] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    mask_values: MaskValues = BenchmarkSettings.mask_values,
    limit: Limit = BenchmarkSettings.limit,
    seed: PromptSeed = BenchmarkSettings.seed,
    dtype: EncoderDtype = BenchmarkSettings.dtype,
    device: Device = BenchmarkSettings.device,
    workers: MetricWorkers = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs; those in it resume.")] = Path("runs/benchmark"),
) -> None:
    """Compare a base with adapters, each with and without the correction, on the test splits of several data sets.

    An adapter with @KIND is a specialist: measured on data of these kinds only, with its correction.
    OUT gets benchmark.md, benchmark.tex, benchmark.json, one plot per prompt, and below runs/ what basam evaluate writes.
    """
    long_sides, names = parse_sizes(sizes), split_names("--prompts", prompts)
    with one_line_errors(resumes=True):
        from basam.files import write_text
        from basam.lab.benchmarking import benchmark as run
        from basam.lab.benchmarking import page
        from basam.model import read_mode

        settings = BenchmarkSettings(
            data=tuple(data),
            entries=tuple(map(BenchmarkEntry.parse, adapter or ())),
            model=model,
            sizes=long_sides,
            prompts=tuple(PromptSpec.parse(name) for name in names),
            focus=focus,
            mask_values=mask_values,
            limit=limit,
            seed=seed,
            mode=None if mode is None else read_mode(mode),
            dtype=dtype,
            device=device,
        )
        console.report_device(device)
        with Bars("images") as bars:
            result = run(settings, out, workers=workers, max_pixels=max_pixels, command=command_words(), progress=bars.show)
        plots = [
            page.plot(result, name, out / f"iou_{re.sub(r'[^a-z0-9]+', '-', name)}.png") for name in map(str, settings.prompts)
        ]
        write_text(out / "benchmark.md", [page.page(result)])
        write_text(out / "benchmark.tex", [page.latex_page(result)])
    from basam.cli.evaluate import show_differences

    for prompt, size in page.settings_of(result):
        console.show(page.table(result, prompt, size))
    show_differences(result.paired, "candidate", "data")
    console.problems(result.issues)
    console.say(out / "benchmark.md", *plots)
    if result.issues.broken:
        raise typer.Exit(console.SOME_FAILED)
