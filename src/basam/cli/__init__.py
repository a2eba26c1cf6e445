"""The command line: parse, call, print. A command is added in `commands.py`, where its module is named.

To keep `--help` quick, a command's module is imported when the command is given, and the library inside its function.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

from basam import __version__
from basam.cli.commands import LazyGroup
from basam.cli.console import DEBUG, DEBUGGING, note, one_line_errors, say, stop_on_sigterm

__all__ = ["app", "main", "one_line_errors"]

app = typer.Typer(
    name="basam",
    cls=LazyGroup,
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
    """Segment Anything at the image's native resolution.

    Exit status: 0 all done; 1 something failed, the rest was done; 2 nothing could be done; 130 stopped by Ctrl-C.
    """
    DEBUGGING.on = debug


def as_note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    """Print warnings of libraries as notes, without those meant for programmers."""
    if issubclass(category, UserWarning):
        note(f"note: {message}")


def main() -> None:
    """Entry point of the `basam` command; `--debug` may be anywhere on its command line."""
    warnings.showwarning = as_note
    stop_on_sigterm()
    words = sys.argv[1:]
    debugging = [word for word in words if word == "--debug"]
    app([*debugging[:1], *(word for word in words if word != "--debug")], prog_name="basam")
