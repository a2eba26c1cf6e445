"""`basam download`: a model into the cache, with a progress bar; what was interrupted goes on where it stopped."""

from __future__ import annotations

from typing import Annotated

import typer


def download(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="A published file (see --list) or a hub name such as facebook/sam-vit-base."),
    ] = None,
    known: Annotated[bool, typer.Option("--list", help="Print the published files that are known by name.")] = False,
) -> None:
    """Download models into the cache, where `basam.load` finds them."""
    from rich.console import Console

    from basam.model import PUBLISHED, published

    if known or not names:
        for name, entry in PUBLISHED.items():
            typer.echo(f"{name}  {entry.url}")
        return
    console = Console(stderr=True)
    for name in names:
        try:
            if name in PUBLISHED:
                with DownloadBar(console, name) as bar:
                    path = published(name, bar.show)
            else:
                from basam.model import resolve

                path = resolve(name)  # huggingface_hub draws its own bars
        except OSError as error:  # not found, or no connection
            console.print(f"error: {error}", style="red", markup=False)
            raise typer.Exit(1) from error
        typer.echo(path)


class DownloadBar:
    """A progress bar of one file."""

    def __init__(self, console: object, name: str) -> None:
        from rich import progress

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
        )
        self.progress = progress.Progress(*columns, console=console)  # type: ignore[arg-type]
        self.task = self.progress.add_task(name, total=None)

    def __enter__(self) -> DownloadBar:
        self.progress.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.progress.stop()

    def show(self, done: int, whole: int | None) -> None:
        self.progress.update(self.task, completed=done, total=whole)
