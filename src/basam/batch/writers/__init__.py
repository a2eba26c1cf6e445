"""Write masks of a photo in common file formats.

`choice` lists the kinds of files; `pictures`, `polygons` and `tables` write those of one photo, `coco` and `tables` those
of a whole run. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
