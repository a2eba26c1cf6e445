"""Masks of a photo as files that others read.

`choice` says which files there can be, `pictures`, `polygons` and `tables` write those of one
photo, `coco_run` the one of a whole run. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
