"""Generated scenes with exact masks: salient objects, camouflage, lesions, thin objects.

`render` makes one, `mosaic` a large one, `write_scenes` a data set. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
