"""`basam download`: download a model into the cache, with a progress bar; an interrupted download resumes."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import DEBUGGING, Bars
from basam.errors import BasamError


def download(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="A published file (see --list) or a hub name such as facebook/sam-vit-base."),
    ] = None,
    known: Annotated[bool, typer.Option("--list", help="Print the published files that are known by name.")] = False,
) -> None:
    """Download models into the cache, where `basam.load` finds them.

    A name that is not available is reported, the others are downloaded, and the exit status is 1 (2 if none is available).
    """
    from basam.model import PUBLISHED, published, resolve

    if known or not names:
        console.say(*(f"{name}  {entry.url}" for name, entry in PUBLISHED.items()))
        return
    failed = 0
    for name in names:
        try:
            if name in PUBLISHED:
                with Bars("bytes") as bars:
                    path = published(name, partial(bars.show, name))
            else:
                path = resolve(name)  # huggingface_hub shows bars of its own
        except (BasamError, OSError) as error:
            if DEBUGGING.on:
                raise
            console.failure(f"failed: {name}: {error}")
            failed += 1
            continue
        console.say(path)
    if failed:
        raise typer.Exit(console.SOME_FAILED if failed < len(names) else console.NOTHING_DONE)
