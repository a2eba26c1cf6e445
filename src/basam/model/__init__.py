"""Loading and downloading models, attaching the correction, adapters, mode files, fingerprints.

`nano/` holds the embedded model. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
