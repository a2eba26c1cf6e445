"""What families share: checkpoint files, Meta's and transformers' layouts of them, ViT layers, windows.

Only families and `basam.model` import from here. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
