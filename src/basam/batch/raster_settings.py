"""How georeferenced rasters are read. No torch here: the command line reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RasterSettings:
    """How georeferenced rasters are read.

    Attributes:
        wanted: True: all files are such; False: none is read so; None: a TIFF that says where on the earth it lies.
        window: side in pixels of the raster; None: as many as the model sees at their own size.
        overlap: of windows in pixels; None: a quarter of the side.
        bands: one or three, numbered from 1; None: all, where there are as many.
        kinds: of files; None: `DEFAULT_RASTER_KINDS`.
    """

    wanted: bool | None = None
    window: int | None = None
    overlap: int | None = None
    bands: tuple[int, ...] | None = None
    kinds: tuple[str, ...] | None = None

    def holds(self, path: Path) -> bool:
        """Whether a file is read as a raster."""
        from basam.files import is_georeferenced

        return is_georeferenced(path) if self.wanted is None else self.wanted

    @property
    def given(self) -> str:
        """What was given of windows and bands, in words; empty where nothing was."""
        return ", ".join(f"{name}={value}" for name, value in self.to_dict().items() if value is not None)

    def to_dict(self) -> dict[str, Any]:
        """All of it that decides the masks."""
        return {"window": self.window, "overlap": self.overlap, "bands": self.bands}
