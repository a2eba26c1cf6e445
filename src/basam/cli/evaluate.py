"""`basam evaluate`: a data set, sizes and methods -> a run folder with tables, plots and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import Bars, command_words, one_line_errors
from basam.cli.from_settings import settings_of, with_options
from basam.cli.options import MaxPixels, MetricWorkers, join, split_names
from basam.files import MAX_PIXELS
from basam.lab.data import KINDS
from basam.lab.evaluation import EvaluateSettings, with_modes
from basam.predict import Focus

if TYPE_CHECKING:
    from basam.lab.data import Issues

# Columns of the table on the terminal, which is narrow; all are in summary.csv.
TABLE_METRICS = ("ap", "s_measure", "weighted_f", "f_max", "mae", "iou", "boundary_iou", "hce")


@with_options(EvaluateSettings)
def evaluate(
    kind: Annotated[
        str,
        typer.Argument(help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.", show_default=False),
    ],
    root: Annotated[Path, typer.Argument(help="Its folder, as downloaded.", show_default=False)],
    focus_context: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="For focus: side of a crop, in long sides of the object.",
            rich_help_panel="What is compared",
            show_default=str(Focus.context),
        ),
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Several modes in one run, in place of plain and basam: off, published, factor, mask, reach, own.",
            rich_help_panel="What is compared",
            show_default=False,
        ),
    ] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    workers: MetricWorkers = None,
    out: Annotated[Path, typer.Option(help="Run folder; an existing run resumes, or is extended.")] = Path("runs/evaluate"),
    **given: Any,
) -> None:
    """Evaluate a model on a data set at any sizes, with and without the correction.

    Example: basam evaluate dis5k DIS5K --split DIS-TE1 --sizes 1024,native

    OUT gets run.json, per_image.jsonl, summary.csv, summary.json, summary.tex, plots and report.html. Running the command again
    resumes; with a higher --limit or more sizes, methods or prompts it measures what is missing. Files that cannot be read
    are reported, the others evaluated, and the exit status is 1.
    """
    if modes is not None:
        methods = with_modes(split_names("--methods", given["methods"]), split_names("--modes", modes))
        given["methods"] = join(methods)
    with one_line_errors(resumes=True):
        focus = None if focus_context is None else Focus(context=focus_context)
        settings: EvaluateSettings = settings_of(EvaluateSettings, given, kind=kind, root=str(root), focus=focus)
        from basam.lab.evaluation import evaluate as run

        console.report_device(settings.device)
        with Bars("images") as bars:

            def progress(done: int, whole: int) -> None:
                bars.show("images", done, whole)

            outcome = run(settings, out, workers=workers, max_pixels=max_pixels, command=command_words(), progress=progress)
    if outcome.summary is None or outcome.issues is None:
        return  # another process reports
    show(outcome.summary, outcome.issues, outcome.folder)
    if outcome.issues.broken:
        raise typer.Exit(console.SOME_FAILED)


def show(summary: dict[str, Any], issues: Issues, folder: Path) -> None:
    """Print the table of a run, the problems of its data and the path of the report."""
    from basam.lab.metrics import COLUMNS

    rows = summary["rows"]
    columns = [name for name in TABLE_METRICS if any(row.get(name) is not None for row in rows)]
    names = ("prompt", "method", "size", "objects", *(COLUMNS[column].title for column in columns))
    table = console.new_table(names, title=f"{summary['data']}, {summary['images']} images", texts=names[:2])
    for row in rows:
        figures = ["-" if row.get(name) is None else f"{row[name]:.3f}" for name in columns]
        table.add_row(row["prompt"], row["method"], str(row["size"]), str(row["count"]), *figures)
    console.show(table)
    show_differences(summary["paired"])
    console.note(*summary["notes"])
    if summary["stand-in"]:
        console.note("stand-in data: these figures are not those of the data set with this layout")
    console.problems(issues)
    console.say(folder / "report.html")


def show_differences(entries: list[dict[str, Any]], *heads: str) -> None:
    """Print paired differences between methods, in the main figure; `heads` are further keys of the entries to show first."""
    from basam.lab.evaluation import pairing
    from basam.lab.metrics import COLUMNS

    metric = pairing.main_metric(entries)
    if metric is None:
        return
    names = (*heads, "prompt", "second minus first", "images", f"{COLUMNS[metric].title} ± 95 %")
    table = console.new_table(names, title="Paired differences", texts=names[:-2])
    for entry in entries:
        pair = f"{entry['second']} - {entry['first']}"
        cells = [*(entry[head] for head in heads), entry["prompt"], pair, str(entry["images"])]
        table.add_row(*cells, pairing.in_words(entry, metric))
    console.show(table)
