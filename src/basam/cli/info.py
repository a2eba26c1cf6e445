"""`basam info`: what a model is and what attaching changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer


def info(model: Annotated[str, typer.Argument(help="'nano', a checkpoint folder or file, or a hub name.")] = "nano") -> None:
    """Print the family, trained grid and global layers of a model, and what attaching changes."""
    from rich.console import Console
    from rich.table import Table

    from basam.method import BiasMode
    from basam.model import family_of_file, resolve

    try:
        path = resolve(model)
        family = family_of_file(path)
        summary = family.summary(path)
    except (OSError, ValueError, TypeError) as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    table = Table(box=None, show_header=False, pad_edge=False)
    tokens, side = summary["trained tokens"], summary["trained long side"]
    mode = BiasMode()

    def at_sizes(value: Callable[[int, int], float]) -> str:
        return ", ".join(f"{value(scale**2 * tokens, tokens):.3f} at {scale * side} px" for scale in (1, 2, 4))

    layers = f"{len(summary['global layers'])} of {summary['layers']} layers" if summary["global layers"] else "no layer"
    attaching = {
        "attaching": f"corrects attention over the whole grid ({layers})",
        "q.k times": at_sizes(mode.factor),
        "mask, a patch": at_sizes(mode.effective_slope),
        "": "lets positions, prompts and padding follow the image; parameters keep names and values",
    }
    for name, value in {"file": str(path), "family": family.name, **summary, **attaching}.items():
        table.add_row(f"[bold]{name}[/bold]", str(value))
    Console().print(table)
