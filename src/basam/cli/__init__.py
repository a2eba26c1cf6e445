"""The command line: parse, call, print. Commands import the library inside their functions, so that `--help` is quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from basam import __version__
from basam.cli.benchmark import benchmark
from basam.cli.calibrate import calibrate
from basam.cli.console import DEBUG, DEBUGGING, say
from basam.cli.download import download
from basam.cli.evaluate import evaluate
from basam.cli.everything import everything
from basam.cli.info import info
from basam.cli.merge import merge
from basam.cli.scenes import scenes
from basam.cli.segment import segment
from basam.cli.tune import tune
from basam.cli.web import web

__all__ = ["app", "main"]

app = typer.Typer(
    name="basam",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    if wanted:
        say(f"basam {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool | None, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", envvar=DEBUG, help="Show the traceback of every error.")] = False,
) -> None:
    """Segment Anything at the image's own resolution.

    Exit status: 0 all done; 1 something was left out, the rest was done; 2 nothing could be done; 130 stopped by Ctrl-C.
    """
    DEBUGGING.on = debug


app.command()(segment)
app.command()(everything)
app.command()(merge)
app.command()(evaluate)
app.command()(info)
app.command()(download)
app.command()(scenes)
app.command()(calibrate)
app.command()(tune)
app.command()(benchmark)
app.command()(web)


def main() -> None:
    """Entry point of the `basam` command; `--debug` may stand anywhere in its line."""
    words = sys.argv[1:]
    debugging = [word for word in words if word == "--debug"]
    app([*debugging[:1], *(word for word in words if word != "--debug")], prog_name="basam")
