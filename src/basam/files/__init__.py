"""Reading and writing files: photographs, masks, JSON and text, atomic writes; and imports of optional libraries.

Everything else may import from here; nothing here imports the rest of basam. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
