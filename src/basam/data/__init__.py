"""Readers of the published data sets, as downloaded: `open_dataset(kind, root, split)` gives a `Dataset` of `Sample`s."""

from basam.data.base import Dataset, Instance, Loaded, Sample
from basam.data.factory import KINDS, open_dataset, splits_of
from basam.data.issues import PROBLEMS, DatasetError, Issue, Issues, SampleError
from basam.data.pairs import image_files

__all__ = [
    "KINDS",
    "PROBLEMS",
    "Dataset",
    "DatasetError",
    "Instance",
    "Issue",
    "Issues",
    "Loaded",
    "Sample",
    "SampleError",
    "image_files",
    "open_dataset",
    "splits_of",
]
