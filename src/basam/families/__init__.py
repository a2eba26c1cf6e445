"""Families of SAM implementations: one folder per family, discovered by `registry` without a list.

`base` is the contract, `attachment` what an attached module knows, `shared/` what families share. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
