"""How georeferenced rasters are read, and photographs in windows. No torch here: the command line reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from basam.checks import NotNegative, check_fields, whole_number
from basam.errors import InputError
from basam.help import Help

# Fewer pixels do not tell which objects of two windows are one.
LEAST_OVERLAP = 16
# Panel of the help.
RASTERS = "Rasters and windows"


@dataclass(frozen=True, kw_only=True)
class RasterSettings:
    """How georeferenced rasters are read, and photographs in windows.

    Attributes:
        wanted: True: all files are rasters; False: none is; None: a TIFF with coordinates is.
        window: side in pixels; None: as many as the model encodes at native resolution.
        overlap: of windows in pixels, or below 1 as a share of the side; None: a quarter of the side.
            With `window` or `overlap`, photographs are processed in windows, too.
        bands: one or three, numbered from 1; None: all, if there are one or three.
    """

    wanted: Annotated[
        bool | None,
        Help(
            "Read files as georeferenced rasters, window by window (overlay, labels, geojson, gpkg, csv), or as photographs.",
            RASTERS,
            unset="a TIFF with coordinates",
            option="--geo",
        ),
    ] = None
    window: Annotated[
        Annotated[int, partial(whole_number, least=32)] | None,
        Help(
            "Process rasters, and photographs too, in windows with this side in pixels; objects are united across the seams.",
            RASTERS,
            unset="rasters: as large as --long-side allows; photographs: no windows",
        ),
    ] = None
    overlap: Annotated[
        NotNegative | None,
        Help("Of windows, in pixels, or below 1 as a share of the side.", RASTERS, unset="a quarter of a window"),
    ] = None
    bands: Annotated[
        tuple[int, ...] | None,
        Help("Bands of a raster, from 1.", RASTERS, "N|R,G,B", unset="all, where there are one or three"),
    ] = None

    def __post_init__(self) -> None:
        check_fields(self)

    def holds(self, path: Path) -> bool:
        """Whether a file is processed as a raster."""
        from basam.files import is_georeferenced

        return is_georeferenced(path) if self.wanted is None else self.wanted

    @property
    def has_windows(self) -> bool:
        """Whether photographs are processed in windows."""
        return self.window is not None or self.overlap is not None

    def overlap_of(self, side: int) -> int:
        """Overlap in pixels of windows with this side.

        Raises:
            ValueError: neither a share nor a whole number.
        """
        if self.overlap is None:
            return side // 4
        if 0 < self.overlap < 1:
            return max(LEAST_OVERLAP, round(self.overlap * side))
        if self.overlap != int(self.overlap):
            raise InputError(f"overlap={self.overlap}: a whole number of pixels, or a share of the window below 1, is needed")
        return int(self.overlap)

    def to_dict(self) -> dict[str, Any]:
        """All settings that decide the masks."""
        return {"window": self.window, "overlap": self.overlap, "bands": self.bands}
