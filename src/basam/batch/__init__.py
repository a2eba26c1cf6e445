"""Segmenting many photographs: jobs, reading and writing ahead, shards of a list, and a Ray cluster.

Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
