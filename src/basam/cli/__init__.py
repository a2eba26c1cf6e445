"""The command line: parse, call, print. Commands import the library inside their functions, so that `--help` is quick."""

from __future__ import annotations

import typer

from basam.cli.scenes import scenes

app = typer.Typer(name="basam", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Segment Anything at the image's own resolution."""


app.command()(scenes)


def main() -> None:
    """Entry point of the `basam` command."""
    app()
