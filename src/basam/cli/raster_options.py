"""Options of `everything` for georeferenced rasters and windows, and texts that they take apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from basam.cli.options import pixels_of_text, split_names

if TYPE_CHECKING:
    from basam.batch import RasterSettings

Geo = Annotated[
    bool | None,
    typer.Option(
        "--geo/--no-geo",
        help="Read files as georeferenced rasters, window by window (overlay, labels, geojson, gpkg, csv), or as photographs.",
        show_default="TIFF that says where on the earth it lies",
    ),
]
RasterWindowSide = Annotated[
    int | None,
    typer.Option(
        min=32,
        help="Read rasters, and photographs, too, in windows with this side in pixels; objects are united across the seams.",
        show_default="rasters: what --long-side holds; photographs: no windows",
    ),
]
RasterOverlap = Annotated[
    float | None,
    typer.Option(min=0, help="Of windows, in pixels, or below 1 as a share of the side.", show_default="a quarter of a window"),
]
Bands = Annotated[
    str | None,
    typer.Option(metavar="N|R,G,B", help="Bands of a raster, from 1.", show_default="all, where there are one or three"),
]


def parse_bands(text: str) -> tuple[int, ...]:
    """`1` or `4,3,2` as numbers of bands."""
    numbers = [pixels_of_text(part) for part in text.split(",")]
    if len(numbers) not in (1, 3) or None in numbers:
        raise typer.BadParameter(f"{text!r}: one or three numbers from 1 are needed, such as 4,3,2", param_hint="--bands")
    return tuple(number for number in numbers if number is not None)


def raster_settings(
    geo: bool | None, window: int | None, overlap: float | None, bands: str | None, write: str | None
) -> RasterSettings:
    """How georeferenced rasters are read; which kinds of files they have is checked where there is one."""
    if geo is False and bands is not None:
        raise typer.BadParameter("photographs take no --bands", param_hint="--no-geo")
    from basam.batch import RasterSettings

    numbers = None if bands is None else parse_bands(bands)
    kinds = None if write is None else split_names("--write", write)
    return RasterSettings(wanted=geo, window=window, overlap=overlap, bands=numbers, kinds=kinds)
