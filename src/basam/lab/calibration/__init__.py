"""Calibrate the correction (`labelled`) or crops (`focused`) for a model and a kind of photograph. Names: `__init__.pyi`."""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
