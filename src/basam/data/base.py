"""What a data set is to the rest of the package: a named sequence of samples that are read when they are needed.

    dataset = open_dataset("dis5k", "DIS5K", "DIS-TE1")
    for sample in dataset:
        try:
            loaded = sample.load()              # decodes image and masks
        except SampleError as error:            # nothing of this sample can be used
            issues.add(error.issue)
            continue
        issues.extend(loaded.issues)            # what was left out or read all the same
        for instance in loaded.instances:       # at least one; masks at the ground truth's own size
            ...

Samples are small and picklable, so that worker processes can load them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from basam.data.issues import Issue, Issues, SampleError

Role = Literal["train", "val", "test", "unknown"]


@dataclass(frozen=True, eq=False)
class Instance:
    """One object of a sample.

    Attributes:
        id: unique within the sample: the annotation's id in COCO, "0" where a file holds the one mask.
        mask: `(H, W)` bool, at least one pixel, at the ground truth's own size (that of the image).
        category: name of the class, where the data set has classes.
        category_id: COCO's number of it.
    """

    id: str
    mask: np.ndarray
    category: str | None = None
    category_id: int | None = None


@dataclass(frozen=True, eq=False)
class Loaded:
    """A sample in memory. `image` is upright (EXIF orientation applied) in the mode it was stored in."""

    image: Image.Image
    instances: tuple[Instance, ...]
    issues: tuple[Issue, ...] = ()


class Sample(Protocol):
    """One image and its ground truth on disk.

    Attributes:
        id: unique within the data set whatever its split, the same on every machine: COCO's image number, otherwise the
            image's path below the root without its suffix, with `/`.
        image_path: the image file.
    """

    @property
    def id(self) -> str: ...

    @property
    def image_path(self) -> Path: ...

    def image(self) -> Image.Image:
        """The image alone, upright. Raises SampleError if it cannot be read."""

    def load(self) -> Loaded:
        """Image and masks. Raises SampleError if no instance of it can be used."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set: a sequence of samples with a name.

    Attributes:
        kind: what `open_dataset` was asked for (`dis5k`, `coco`, ...).
        name: what tables and plots must call it: `DIS5K`, or `standin-DIS5K` and `generated-COD10K` where the images only
            stand in for that data set.
        split: as the data set names it (`DIS-TE1`, `val2017`, `Test`).
        role: what the split is for; `unknown` where a folder does not say.
        root: the folder it was opened from.
        samples: in the order of their names.
        issues: what opening it has found, without decoding anything; `check` finds the rest.
        annotations: COCO's JSON file, None elsewhere.
    """

    kind: str
    name: str
    split: str
    role: Role
    root: Path
    samples: tuple[Sample, ...]
    issues: Issues = field(default_factory=Issues)
    annotations: Path | None = None

    @property
    def is_test(self) -> bool:
        """Whether results are reported on this split, so that nothing may be chosen on it.

        True of COCO's val2017 too: the annotations of its test split are not public, so papers report on val2017.
        """
        return self.role == "test"

    @property
    def is_stand_in(self) -> bool:
        """Whether the images stand in for those of the data set whose layout they have."""
        return self.name.startswith(STAND_IN_PREFIXES)

    @property
    def title(self) -> str:
        """Name and split for headings, such as `standin-DIS5K DIS-TE1`."""
        return f"{self.name} {self.split}"

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def check(self, progress: Callable[[int], None] | None = None) -> Issues:
        """Decode every sample; all issues, those of opening first. `progress` is told how many samples are done."""
        found = Issues(self.issues)
        for done, sample in enumerate(self.samples, start=1):
            try:
                found.extend(sample.load().issues)
            except SampleError as error:
                found.add(error.issue)
            if progress is not None:
                progress(done)
        return found


STAND_IN_PREFIXES = ("standin-", "generated-")
GENERATED_MARKER = "scenes.json"


def reported_name(name: str, folder: Path) -> str:
    """What a data set read from `folder` may be called: `name`, or what it really is.

    The nearest folder on the way up whose own name starts with `standin-` or `generated-` gives the name; a folder that
    holds `scenes.json` (what `basam scenes` writes) makes it `generated-NAME`. Links are followed too, so that a link
    does not turn a stand-in into what it stands in for.
    """
    for path in (folder.absolute(), folder.resolve()):
        for ancestor in (path, *path.parents):
            if ancestor.name.startswith(STAND_IN_PREFIXES):
                return ancestor.name
            if (ancestor / GENERATED_MARKER).is_file():
                return f"generated-{name}"
    return name
