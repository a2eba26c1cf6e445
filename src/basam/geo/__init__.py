"""Georeferenced rasters, of any size: read in windows that overlap, everything found in each, objects united across the seams,
and written in the raster's coordinate reference system. rasterio and shapely (the extra `geo`) are imported when needed.

`raster` opens and reads a raster, `bands` chooses its bands, `colours` brings them to 8 bits, `windows` covers it, `pieces`
stores the masks of windows on disk, `seams` and `uniting` make one object of its pieces, `finding` is the whole, `areas`,
`vectors` and `writing` have the files.
Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
