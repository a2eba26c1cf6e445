"""The common form of data sets: a named sequence of samples that are read on demand.

    dataset = open_dataset("dis5k", "DIS5K", "DIS-TE1")
    for sample in dataset:
        try:
            loaded = sample.load()              # decodes image and masks
        except SampleError as error:            # nothing of this sample can be used
            issues.extend(error.issues)
            continue
        issues.extend(loaded.issues)            # what was left out or read all the same
        for instance in loaded.instances:       # at least one; masks at the ground truth's own size
            ...

Samples are small and picklable, so that worker processes can load them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

from basam.files import read_json
from basam.lab.data.issues import DatasetError, Issue, Issues, SampleError

Role = Literal["train", "val", "test", "unknown"]


@dataclass(frozen=True, eq=False)
class Instance:
    """One object of a sample.

    Attributes:
        id: unique within the sample: the annotation's id in COCO, the label in a map of objects, "0" where a file holds the
            one mask.
        pixels: `(H, W)` bool, the mask; or a map of labels that all objects of the photograph share.
        category: name of the class, where the data set has classes.
        category_id: COCO's number of it.
        label: the value of this object in a map of labels.
    """

    id: str
    pixels: np.ndarray
    category: str | None = None
    category_id: int | None = None
    label: int | None = None

    @property
    def mask(self) -> np.ndarray:
        """`(H, W)` bool, at least one pixel, at the ground truth's own size (that of the image).

        Computed from the label map on every access: hundreds of masks of a large photograph would fill the memory.
        """
        return self.pixels if self.label is None else self.pixels == self.label


@dataclass(frozen=True, eq=False)
class Loaded:
    """A sample in memory.

    Attributes:
        image: upright (EXIF orientation applied), in mode `RGB`.
        instances: at least one.
        issues: what was left out or read all the same.
        ignored: `(H, W)` bool pixels that count nowhere and belong to no instance; None: all count.
    """

    image: Image.Image
    instances: tuple[Instance, ...]
    issues: tuple[Issue, ...] = ()
    ignored: np.ndarray | None = None


class Sample(Protocol):
    """One image and its ground truth on disk.

    Attributes:
        id: unique within the data set whatever its split, the same on every machine: COCO's image number, otherwise the
            image's path below the root without its suffix, with `/`.
        image_path: the image file.
        max_pixels: files with more pixels raise; None: no limit. A field for `dataclasses.replace`.
    """

    @property
    def id(self) -> str: ...

    @property
    def image_path(self) -> Path: ...

    @property
    def max_pixels(self) -> int | None: ...

    def image(self) -> Image.Image:
        """The image alone, upright. Raises SampleError if it cannot be read."""

    def load(self) -> Loaded:
        """Image and masks. Raises SampleError if no instance of it can be used."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set: a sequence of samples with a name.

    Attributes:
        kind: the kind given to `open_dataset` (`dis5k`, `coco`, ...).
        name: in tables and plots: `DIS5K`, or another name if its images only have the layout of that
            data set; see `reported_name`.
        layout_name: of the data set whose layout it has.
        split: as the data set names it (`DIS-TE1`, `val2017`, `Test`).
        role: what the split is for; `unknown` where a folder does not say.
        root: the folder it was opened from.
        samples: in the order of their names.
        issues: problems detected on opening, without decoding; `check` detects the rest.
        annotations: COCO's JSON file, None elsewhere.
        crowds_are_objects: its annotations with `iscrowd` 1 are instances.
    """

    kind: str
    name: str
    layout_name: str
    split: str
    role: Role
    root: Path
    samples: tuple[Sample, ...]
    issues: Issues = field(default_factory=Issues)
    annotations: Path | None = None
    crowds_are_objects: bool = False

    @property
    def is_test(self) -> bool:
        """Whether results are reported on this split, so that nothing may be calibrated or selected on it.

        True of COCO's val2017 too: the annotations of its test split are not public, so papers report on val2017.
        """
        return self.role == "test"

    @property
    def is_stand_in(self) -> bool:
        """Whether the images only have the layout of a published data set: they then have another name."""
        return self.kind != "folder" and self.name != self.layout_name

    @property
    def title(self) -> str:
        """Name and split for headings, such as `DIS5K DIS-TE1`."""
        return f"{self.name} {self.split}"

    def limited_to(self, max_pixels: int | None) -> Dataset:
        """The same data set with another `max_pixels`; None: no limit."""
        samples: tuple[Any, ...] = self.samples
        return replace(self, samples=tuple(replace(sample, max_pixels=max_pixels) for sample in samples))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def check(self, progress: Callable[[int], None] | None = None) -> Issues:
        """Decode every sample; returns all issues, those of opening first. `progress` is called with the number of samples
        done."""
        issues = Issues(self.issues)
        for done, sample in enumerate(self.samples, start=1):
            try:
                issues.extend(sample.load().issues)
            except SampleError as error:
                issues.extend(error.issues)
            if progress is not None:
                progress(done)
        return issues


MARKER = "scenes.json"


def reported_name(layout_name: str, folder: Path, given: str | None) -> str:
    """The name of a data set in tables: the name `given`, else the one in its marker file, else that of its layout.

    The marker `scenes.json` in the data set's folder is what `basam scenes` writes, so that generated scenes are never taken
    for the data set whose layout they have: `{"name": "generated-COD10K"}`.

    Raises:
        DatasetError: the marker cannot be read.
    """
    if given is not None:
        return given
    marker = folder / MARKER
    if not marker.is_file():
        return layout_name
    try:
        return str(read_json(marker)["name"])
    except (ValueError, KeyError) as error:
        raise DatasetError(f"{marker} does not say what this data is called: {error} is missing") from error
