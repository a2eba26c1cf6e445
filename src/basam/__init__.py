"""Segment Anything at the image's own resolution: bias-mode attention for a pretrained SAM.

The names that a user needs first are here, in `__init__.pyi`; each folder below says in its `__init__.py` what it has.
"""

from basam.exports import exports

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = exports(__name__)
