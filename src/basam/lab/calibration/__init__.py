"""Which correction (`labelled`) and which crops (`focused`) suit a model and a kind of photograph. Names: `__init__.pyi`."""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
