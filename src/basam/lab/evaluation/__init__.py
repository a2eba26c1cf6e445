"""Measuring a model on a data set: runs, `metrics/`, `calibration/` (which correction suits) and `benchmarking/` (one table).

Begin with `evaluate`, `calibrate`, `calibrate_unlabelled` or `benchmark`. Names: `__init__.pyi`.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
