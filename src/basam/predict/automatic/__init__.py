"""All masks of a photo: the model is prompted with a grid of points, duplicates and poor masks are dropped.

`grids` places points and crops, `decoding` predicts and filters masks, `suppression` drops duplicates, `generator` combines
them. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
