"""Everything in a photo: the model is prompted with a grid of points, and of its masks the best stay, each once.

`grids` says where points and crops lie, `decoding` makes and filters masks, `suppression` drops what is there twice,
`generator` is the whole. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
