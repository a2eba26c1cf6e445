"""Families of SAM implementations: one folder per family, discovered by `registry` without a list.

`base` is the interface, `attachment` the state of attached modules, `shared/` code of several families. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
