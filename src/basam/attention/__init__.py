"""Exact attention with a bias that is separable over key rows and key columns: no N x N tensor.

`dispatch` picks the kernel (`cpu_tiles`, `triton_ops`); `bias` makes the bias of SAM's layers. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
