"""What measures and trains: data sets, generated scenes, metrics, evaluation, calibration, benchmarking, fine-tuning.

It stands on everything else of `basam`, and of the rest only the command line imports it.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
