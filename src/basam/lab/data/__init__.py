"""Readers of data sets, and prompts made from the ground truth.

The entry point is `open_dataset`; new kinds of data sets are added in `layouts` and `factory`. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
