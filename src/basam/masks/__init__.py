"""Masks as data: boxes, COCO run lengths, regions, outlines. Nothing here knows a model.

Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
