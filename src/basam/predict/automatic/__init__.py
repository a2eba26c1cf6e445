"""Everything in a photo: a grid of points is asked, and of what comes back the best masks stay, each once.

`grids` says where points and crops lie, `asking` asks and filters, `suppression` drops what is there twice,
`generator` is the whole. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
