"""One table of a base and its adapters on several data sets: `running` measures, `page` shows. Names: `__init__.pyi`."""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
