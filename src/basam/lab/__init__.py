"""What measures and trains: data sets, generated scenes, metrics, evaluation, calibration, benchmarking, fine-tuning.

It uses everything else of `basam`; only the command line imports it.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
