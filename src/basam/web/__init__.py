"""The local page: photographs, prompts and masks in a browser, served from this machine only.

`library` lists the photos, `session` stores all work, `segmenter` runs the model, `server` is the HTTP layer, `safety` controls
access. The page itself is in `page/`: plain ES modules, no build step. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
