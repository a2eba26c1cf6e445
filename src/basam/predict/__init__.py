"""A photo and prompts to masks: `predictor` runs, `prompts` checks, `resize` goes from photo to encoder and back.

Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
