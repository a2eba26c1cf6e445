"""`basam benchmark`: a base and adapters on several data sets -> one table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import Bars, command_words, one_line_errors
from basam.cli.from_settings import settings_of, with_options
from basam.cli.options import MaxPixels, MetricWorkers
from basam.files import MAX_PIXELS
from basam.lab.benchmarking import BenchmarkSettings


@with_options(BenchmarkSettings)
def benchmark(
    max_pixels: MaxPixels = MAX_PIXELS,
    workers: MetricWorkers = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs; existing runs resume.")] = Path("runs/benchmark"),
    **given: Any,
) -> None:
    """Compare a base with adapters, with and without the correction, on the test splits of several data sets.

    Example: basam benchmark --data dis5k:DIS5K --data coco:COCO --adapter mine=runs/tune/adapter

    An adapter with @KIND is a specialist: measured on data of these kinds only, with its correction.
    OUT gets benchmark.md, benchmark.tex, benchmark.json, one plot per prompt, and the files of basam evaluate in runs/.
    """
    with one_line_errors(resumes=True):
        settings: BenchmarkSettings = settings_of(BenchmarkSettings, given)
        from basam.files import write_text
        from basam.lab.benchmarking import benchmark as run
        from basam.lab.benchmarking import page

        console.report_device(settings.device)
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
