"""`basam info`: what a model is and what attaching changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from basam.cli import console
from basam.cli.console import one_line_errors
from basam.method import BiasMode

if TYPE_CHECKING:
    from basam.families import Geometry


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
    sections = {name: value for name, value in values.items() if isinstance(value, dict)}
    shown = values | {name: ", ".join(f"{key}={value}" for key, value in fields.items()) for name, fields in sections.items()}
    mode = BiasMode() if found.mode is None else found.mode.mode
    for name, value in {**shown, **attaching(found.summary.geometry, mode)}.items():
        table.add_row(name, str(value))
    console.show(table)


def attaching(geometry: Geometry, mode: BiasMode) -> dict[str, str]:
    """What `attach` does to a model, in words and figures."""
    tokens, side = geometry.trained_tokens, geometry.image_size

    def at_sizes(value: Callable[[int, int], float]) -> str:
        return ", ".join(f"{value(scale**2 * tokens, tokens):.3f} at {scale * side} px" for scale in (1, 2, 4))

    layers = f"{len(geometry.global_layers)} of {geometry.layers} layers" if geometry.global_layers else "no layer"
    return {
        "attaching": f"corrects attention over the whole grid ({layers})",
        "q.k times": at_sizes(mode.factor),
        "mask, per patch": at_sizes(mode.effective_slope),
        "": "lets positions, prompts and padding follow the image; parameters keep names and values",
    }
