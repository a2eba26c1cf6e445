"""`basam info`: what a model is, and what attaching changes."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import one_line_errors
from basam.errors import InputError

if TYPE_CHECKING:
    from basam.model import ModelInfo


def info(
    model: Annotated[str, typer.Argument(help="'nano', a checkpoint folder or file, a hub name, or an adapter.")] = "nano",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Download a model that is not in the cache.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of an adapter: its learned slopes as a PNG.", show_default=False)
    ] = None,
) -> None:
    """Print the family, trained grid and global layers of a model, and what attaching changes, or an adapter's slopes.

    A model that `basam.load` rejects is rejected here too, with exit status 2.
    """
    with one_line_errors():
        from basam.model import check_model_name

        check_model_name(model)
        from basam.model import TENSORS, model_info

        if (Path(model) / TENSORS).is_file():
            adapter_info(Path(model), as_json, plot)
            return
        if plot is not None:
            raise InputError(f"--plot {plot}: {model} is not an adapter, so it has no learned slopes")
        summary = model_info(model, download=download)
    values = summary.to_dict()
    if as_json:
        console.say(json.dumps(values, indent=2))
        return
    table = console.new_table(("", " "), texts=("", " "), header=False)
    values = {name: in_words(value) for name, value in values.items() if name != "attached"}
    for name, value in (values | attaching(summary)).items():
        table.add_row(name, value)
    console.show(table)


def adapter_info(folder: Path, as_json: bool, plot: Path | None) -> None:
    """Print an adapter's base, its mode, and the slope of every head of every global layer."""
    from basam.model import read_adapter

    adapter = read_adapter(folder)
    slopes = [] if adapter.slopes is None else adapter.slopes().detach().tolist()
    values: dict[str, Any] = {"adapter": str(folder), "base": adapter.base, "base sha256": adapter.base_sha256}
    values |= {"mode": asdict(adapter.mode), "parameters": adapter.parameters}
    if plot is not None:
        from basam.lab.tuning import plot_slopes

        if not slopes:
            raise InputError(f"--plot {plot}: adapter {folder} has no learned slopes")
        plot_slopes(slopes, plot)
    if as_json:
        console.say(json.dumps({**values, "slopes": slopes}, indent=2))
        return
    table = console.new_table(("", " "), texts=("", " "), header=False)
    for name, value in values.items():
        table.add_row(name, in_words(value))
    console.show(table)
    if slopes:
        heads = [f"head {head}" for head in range(len(slopes[0]))]
        table = console.new_table(("global layer", "mean", *heads), title="Learned slopes, logits per patch")
        for layer, row in enumerate(slopes):
            table.add_row(str(layer), *(f"{value:.4f}" for value in (statistics.fmean(row), *row)))
        console.show(table)


def in_words(value: Any) -> str:
    return ", ".join(f"{key}={part}" for key, part in value.items()) if isinstance(value, dict) else str(value)


def attaching(model: ModelInfo) -> dict[str, str]:
    """What `attach` changes, in words and figures."""
    geometry = model.summary.geometry

    def at_sizes(name: str, form: str = ".3f") -> str:
        return ", ".join(f"{size[name]:{form}} at {size['long side']} px" for size in model.corrections())

    if not geometry.global_layers:
        layers, keys = "no layer", "no layer sees the whole grid: reach has no effect"
    else:
        layers, keys = f"{len(geometry.global_layers)} of {geometry.layers} layers", at_sizes("keys per query", "d")
    return {
        "attaching": f"corrects attention over the whole grid ({layers})",
        "keys per query": keys,
        "q.k times": at_sizes("q.k times"),
        "mask, per patch": at_sizes("mask per patch"),
        "": "lets positions, prompts and padding follow the image; parameters keep names and values",
    }
