"""`basam download`: a model into the cache, with a progress bar; what was interrupted resumes."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import Bars, one_line_errors


def download(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="A published file (see --list) or a hub name such as facebook/sam-vit-base."),
    ] = None,
    known: Annotated[bool, typer.Option("--list", help="Print the published files that are known by name.")] = False,
) -> None:
    """Download models into the cache, where `basam.load` finds them."""
    from basam.model import PUBLISHED, published, resolve

    if known or not names:
        console.say(*(f"{name}  {entry.url}" for name, entry in PUBLISHED.items()))
        return
    for name in names:
        with one_line_errors():
            if name in PUBLISHED:
                with Bars("bytes") as bars:
                    path = published(name, partial(bars.show, name))
            else:
                path = resolve(name)  # huggingface_hub draws its own bars
        console.say(path)
