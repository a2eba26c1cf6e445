"""Which correction suits a model and a kind of photograph: by masks (`labelled`), or by attention alone (`unlabelled`).

Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
