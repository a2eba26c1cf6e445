"""A photo and prompts to masks.

`predictor` has the interface of Meta's predictors; `photo_encoder` encodes views of an image, `decoding` predicts with prompts
on them, `focusing` chooses the region per prompt; `prompts` validates, `resize` converts between photo and encoder pixels.

Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
