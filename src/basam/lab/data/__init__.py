"""Readers of data sets, and how a prompt is made from the ground truth.

Begin with `open_dataset`; a new kind of data set goes into `layouts` and `factory`. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
