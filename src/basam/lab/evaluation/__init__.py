"""Evaluate a model on a data set: the entry point is `evaluate`. Names: `__init__.pyi`."""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
