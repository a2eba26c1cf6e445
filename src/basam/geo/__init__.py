"""Segmenting georeferenced rasters of any size: read in overlapping windows, segment every window, unite objects across the
seams, and write them in the raster's coordinate reference system. rasterio and shapely (the extra `geo`) are imported on use.

`raster` opens and reads a raster, `bands` chooses its bands, `colours` scales them to 8 bits, `windows` covers it, `pieces`
stores the masks of windows on disk, `seams` and `uniting` merge pieces into objects, `finding` combines these, `areas`,
`vectors` and `writing` write the files.
Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
