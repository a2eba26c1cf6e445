"""Readers of the published data sets, as downloaded: `open_dataset(kind, root, split)` gives a `Dataset` of `Sample`s."""

from basam.data.base import Dataset, Instance, Loaded, Sample
from basam.data.issues import PROBLEMS, DatasetError, Issue, Issues, SampleError

__all__ = [
    "PROBLEMS",
    "Dataset",
    "DatasetError",
    "Instance",
    "Issue",
    "Issues",
    "Loaded",
    "Sample",
    "SampleError",
]
