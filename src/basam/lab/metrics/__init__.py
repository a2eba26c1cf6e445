"""How good a mask is: per-image records from `measure`, figures of a data set from `summarise`, COCO's AP from `coco_ap`.

    record = measure(probabilities, mask, metrics_for("dis5k"))    # plain JSON: numbers, and curves as short strings
    summary = summarise(records)                                   # {"count": 27, "s_measure": ..., "f_max": ..., ...}

A summary is computed from the records alone, exactly rounded (`math.fsum`), so that it does not depend on their order, on
how often a run was interrupted or on how many processes shared it. Nothing here implements a metric that a library of
the field has: saliency metrics are `py_sod_metrics`', boundary IoU and AP `faster_coco_eval`'s.

`METRICS` has the names of metrics; `COLUMNS` the figures that they give, with titles and which end is better.
"""

from basam.exports import exports

__getattr__, __dir__, __all__ = exports(__name__)
