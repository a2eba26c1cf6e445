"""`basam web`: segment photographs by clicking, on a page of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basam.cli.console import note, one_line_errors, say
from basam.cli.options import AdapterName, Device, MaxPixels, ModelName
from basam.web import WebSettings

DEFAULTS = WebSettings()


def web(
    photos: Annotated[list[Path] | None, typer.Argument(help="Photographs, or folders of them.", show_default=False)] = None,
    model: ModelName = DEFAULTS.model,
    adapter: AdapterName = DEFAULTS.adapter,
    session: Annotated[Path, typer.Option(help="Folder that keeps prompts, masks and uploads.")] = DEFAULTS.session,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: for the whole network.")] = DEFAULTS.host,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = DEFAULTS.port,
    url: Annotated[
        str | None,
        typer.Option(
            help="Address by which browsers reach it through a tunnel or a proxy, as https://photos.example.org/basam."
        ),
    ] = DEFAULTS.url,
    cache: Annotated[str, typer.Option(metavar="BYTES", help="Memory for photos and embeddings.")] = f"{DEFAULTS.cache >> 30}G",
    max_upload: Annotated[
        str, typer.Option(metavar="BYTES", help="Of a file that the page sends.")
    ] = f"{DEFAULTS.max_upload >> 20}M",
    max_pixels: MaxPixels = DEFAULTS.max_pixels,
    device: Device = DEFAULTS.device,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Segment photographs in the browser, by clicks and boxes.

    Nothing leaves this machine. The session folder keeps what was done; the same command opens it again.
    """
    with one_line_errors(resumes=True):
        from basam.web import bytes_of, serve

        settings = WebSettings(
            photos=tuple(photos or ()),
            session=session,
            model=model,
            adapter=adapter,
            device=device,
            host=host,
            port=port,
            url=url,
            cache=bytes_of(cache),
            max_pixels=max_pixels,
            max_upload=bytes_of(max_upload),
        )
        serve(settings, say=say, note=note, open_page=browser)
