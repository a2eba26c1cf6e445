"""The local page: photographs, prompts and masks in a browser, served from this machine and nowhere else.

`library` knows the photos, `session` keeps what was done with them, `segmenter` runs the model, `server` speaks HTTP, `safety`
decides who may. The page itself is in `page/`: plain ES modules, no build step. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
