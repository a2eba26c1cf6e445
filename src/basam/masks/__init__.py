"""What a mask says of itself: its box, its runs as COCO writes them, its parts and its outlines. Nothing here knows a model.

Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
