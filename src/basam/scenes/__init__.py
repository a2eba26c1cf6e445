"""Generated scenes whose ground truth is exact at every resolution.

A scene is a seed and a domain. All that it consists of is decided in the unit square before a pixel is made: shapes are
polygons and textures are functions of position with band-limited octaves, so that another size shows the same picture with
more or less detail. The five domains stand for the data sets with which the method is evaluated: see docs/scenes.md.
"""

from __future__ import annotations

from basam.scenes.canvas import Scene
from basam.scenes.rendering import DOMAINS, mosaic, render

__all__ = ["DOMAINS", "Scene", "mosaic", "render"]
