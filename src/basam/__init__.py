"""Segment Anything at the image's own resolution: bias-mode attention for a pretrained SAM.

The most important names are here, in `__init__.pyi`; the `__init__.py` of every folder describes its contents.
"""

from basam.exports import exports

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = exports(__name__)
