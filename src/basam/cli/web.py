"""`basam web`: segment photographs by clicking, on a page of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from basam.cli.console import note, one_line_errors, say
from basam.cli.from_settings import settings_of, with_options
from basam.web import WebSettings


@with_options(WebSettings)
def web(
    photos: Annotated[list[Path] | None, typer.Argument(help="Photographs, or folders of them.", show_default=False)] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.", rich_help_panel="Server")] = True,
    **given: Any,
) -> None:
    """Segment photographs in the browser, by clicks and boxes.

    Example: basam web photos/

    Nothing leaves this machine. The session folder stores all work; the same command opens it again.
    """
    with one_line_errors(resumes=True):
        settings = settings_of(WebSettings, given, photos=tuple(photos or ()))
        from basam.web import serve

        serve(settings, say=say, note=note, open_page=browser)
