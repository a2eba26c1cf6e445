"""Measuring a model on a data set: begin with `evaluate`. Names: `__init__.pyi`."""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
