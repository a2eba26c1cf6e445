"""`basam info`: what a model is and what attaching changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from basam.cli import console
from basam.cli.console import one_line_errors

if TYPE_CHECKING:
    from basam.model import ModelInfo


def info(
    model: Annotated[str, typer.Argument(help="'nano', a checkpoint folder or file, or a hub name.")] = "nano",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Download a model that is not in the cache.")] = False,
) -> None:
    """Print the family, trained grid and global layers of a model, and what attaching changes.

    What could not be loaded is refused here too: the exit status is 2.
    """
    with one_line_errors():
        from basam.model import model_info

        found = model_info(model, download=download)
    values = found.to_dict()
    if as_json:
        console.say(json.dumps(values, indent=2))
        return
    table = console.new_table(("", " "), texts=("", " "), header=False)
    values = {name: in_words(value) for name, value in values.items() if name != "attached"}
    for name, value in (values | attaching(found)).items():
        table.add_row(name, value)
    console.show(table)


def in_words(value: Any) -> str:
    return ", ".join(f"{key}={part}" for key, part in value.items()) if isinstance(value, dict) else str(value)


def attaching(found: ModelInfo) -> dict[str, str]:
    """What `attach` does to a model, in words and figures."""
    geometry = found.summary.geometry

    def at_sizes(name: str, form: str = ".3f") -> str:
        return ", ".join(f"{each[name]:{form}} at {each['long side']} px" for each in found.corrections())

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
