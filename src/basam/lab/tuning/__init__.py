"""Fine-tuning a model on photographs with masks: `Tuning` or `tune`; the result is an adapter.

`ways` defines what is trained, `trainer` how, `sources` on what. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
