"""`basam evaluate`: a data set, sizes and methods -> a run folder with tables, plots and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import Bars, command_words, one_line_errors
from basam.cli.options import (
    AdapterName,
    Device,
    EncoderDtype,
    Limit,
    LongSides,
    MaskValues,
    MaxPixels,
    MetricWorkers,
    ModelName,
    PromptSeed,
    ReachName,
    join,
    parse_sizes,
    split_names,
)
from basam.files import MAX_PIXELS
from basam.lab.data import KINDS, PromptSpec
from basam.lab.evaluation import EvaluateSettings, with_modes
from basam.predict import Focus

if TYPE_CHECKING:
    from basam.lab.data import Issues

# Columns of the table on the terminal, which is narrow; the rest is in summary.csv.
SHOWN = ("ap", "s_measure", "weighted_f", "f_max", "mae", "iou", "boundary_iou", "hce")


def evaluate(
    kind: Annotated[
        str,
        typer.Argument(help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.", show_default=False),
    ],
    root: Annotated[Path, typer.Argument(help="Its folder, as downloaded.", show_default=False)],
    split: Annotated[
        str | None, typer.Option(help="Such as DIS-TE1 or val2017.", show_default="the test split")
    ] = EvaluateSettings.split,
    images: Annotated[str | None, typer.Option(help="For 'folder': images below ROOT.", show_default=False)] = None,
    masks: Annotated[str | None, typer.Option(help="For 'folder': masks below ROOT.", show_default=False)] = None,
    name: Annotated[str | None, typer.Option(help="What reports call the data.", show_default="by its layout")] = None,
    mask_values: MaskValues = EvaluateSettings.mask_values,
    model: ModelName = EvaluateSettings.model,
    adapter: AdapterName = EvaluateSettings.adapter,
    sizes: LongSides = join(EvaluateSettings.sizes),
    methods: Annotated[
        str,
        typer.Option(
            help="resize: squeezed to the trained size; plain: any size, uncorrected; basam: corrected; published, factor, "
            "mask: the published correction, or one half of it; reach: attention to a "
            "neighborhood of the trained size; focus, focus-plain: the crop around each prompt; "
            "pyramid: the photo encoded once, at several sizes."
        ),
    ] = join(EvaluateSettings.methods),
    modes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Several modes in one run, in place of plain and basam: off, published, factor, mask, reach, own.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A mode.json for basam.", show_default="the adapter's, else the model's own"),
    ] = None,
    reach: ReachName = None,
    focus_context: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="For focus: side of a region, in long sides of the object.", show_default=str(Focus.context)
        ),
    ] = None,
    prompts: Annotated[
        str, typer.Option(help="gt-box, noisy-box[:SHARE], gt-point, random-point, k-points:P[+N], none.")
    ] = join(EvaluateSettings.prompts),
    detections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="COCO: results JSON of a detector, as boxes.", show_default=False)
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Such as iou,mae.", show_default="those of the data set")] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    limit: Limit = EvaluateSettings.limit,
    seed: PromptSeed = EvaluateSettings.seed,
    multimask: Annotated[
        bool, typer.Option("--multimask", help="Take the mask of three with the best score.")
    ] = EvaluateSettings.multimask,
    save_maps: Annotated[
        bool, typer.Option("--save-maps", help="Write every prediction as a PNG of 8 bits below OUT/maps.")
    ] = EvaluateSettings.save_maps,
    dtype: EncoderDtype = EvaluateSettings.dtype,
    device: Device = EvaluateSettings.device,
    workers: MetricWorkers = None,
    out: Annotated[Path, typer.Option(help="Run folder; a run in it resumes, or is extended.")] = Path("runs/evaluate"),
) -> None:
    """Evaluate a model on a data set at any sizes, with and without the correction.

    OUT gets run.json, per_image.jsonl, summary.csv, summary.json, summary.tex, plots and report.html. Started again, a
    stopped run resumes; with a higher --limit or more sizes, methods or prompts it measures what is missing. Files that
    cannot be read are named, the others evaluated, and the exit status is 1.
    """
    chosen: dict[str, Any] = {
        "sizes": parse_sizes(sizes),
        "methods": split_names("--methods", methods),
        "save_maps": save_maps,
        "metrics": () if metrics is None else split_names("--metrics", metrics),
    }
    if modes is not None:
        chosen["methods"] = with_modes(chosen["methods"], split_names("--modes", modes))
    prompt_names = split_names("--prompts", prompts)
    with one_line_errors(resumes=True):
        from basam.lab.evaluation import evaluate as run
        from basam.model import read_mode

        settings = EvaluateSettings(
            kind=kind,
            root=str(root),
            split=split,
            images=images,
            masks=masks,
            name=name,
            mask_values=mask_values,
            model=model,
            adapter=adapter,
            mode=None if mode is None else read_mode(mode),
            reach=None if reach is None else reach.value,
            focus=None if focus_context is None else Focus(context=focus_context),
            prompts=tuple(PromptSpec.parse(name) for name in prompt_names),
            detections=None if detections is None else str(detections),
            limit=limit,
            seed=seed,
            multimask=multimask,
            dtype=dtype,
            device=device,
            **chosen,
        )
        console.report_device(device)
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
    """The table of a run, the problems of its data and where the report is."""
    from basam.lab.metrics import COLUMNS

    rows = summary["rows"]
    columns = [name for name in SHOWN if any(row.get(name) is not None for row in rows)]
    names = ("prompt", "method", "size", "objects", *(COLUMNS[column].title for column in columns))
    table = console.new_table(names, title=f"{summary['data']}, {summary['images']} images", texts=names[:2])
    for row in rows:
        figures = ["-" if row.get(name) is None else f"{row[name]:.3f}" for name in columns]
        table.add_row(row["prompt"], row["method"], str(row["size"]), str(row["count"]), *figures)
    console.show(table)
    show_differences(summary["paired"])
    console.note(*summary["notes"])
    if summary["stand-in"]:
        console.note("stand-in data: these are no figures of the data set whose layout it has")
    console.problems(issues)
    console.say(folder / "report.html")


def show_differences(entries: list[dict[str, Any]], *heads: str) -> None:
    """Paired differences between methods, in the main figure; `heads` are further keys of the entries to show first."""
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
