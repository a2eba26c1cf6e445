"""Where the files of a domain go: folders and names of the data set whose layout it has.

The seeds of the splits lie apart, so that the test split never holds a scene of the training split, and the number in a
file name is the seed that `render` takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from basam.errors import InputError
from basam.lab.data import LAYOUTS

SEEDS_OF_A_SPLIT = 1_000_000
DATA_SETS = {"thin": "DIS5K", "salient": "DUTS", "lesion": "ISIC 2017", "camouflage": "COD10K", "crowd": "COCO"}


@dataclass(frozen=True)
class Folders:
    """One split on disk: folders below the root; names have `{seed}` filled in. COCO has annotations in place of masks."""

    domain: str
    split: str
    first_seed: int
    images: str
    image_name: str
    masks: str = ""
    mask_name: str = ""
    role: str = ""

    @property
    def annotations(self) -> str:
        """Path of COCO's JSON below the root."""
        return f"annotations/instances_{self.split}.json"

    @property
    def fragments(self) -> str:
        """Folder below the root that keeps the annotations of finished images until all are there."""
        return f"annotations/.instances_{self.split}"

    def image(self, root: Path, seed: int) -> Path:
        """Path of a scene's image."""
        return root / self.images / self.image_name.format(seed=seed)

    def mask(self, root: Path, seed: int) -> Path:
        """Path of what makes a scene's image complete: its mask, or the fragment with its annotations."""
        if self.masks:
            return root / self.masks / self.mask_name.format(seed=seed)
        return root / self.fragments / f"{seed}.json"


# Of a domain of paired folders: the kind of data set, names of files without an ending, and what names of masks end in.
KINDS = {
    "thin": ("dis5k", "0#Scenes#0#Generated#{seed:07d}", ""),
    "salient": ("duts", "scene_{seed:08d}", ""),
    "lesion": ("isic2017", "ISIC_{seed:07d}", "_segmentation"),
    "camouflage": ("cod10k", "COD10K-CAM-0-Scenes-0-Generated-{seed}", ""),
}
# Where the seeds of a role begin, in splits; each further split of a role follows.
FIRST = {"train": 0, "val": 3, "test": 6}


def splits_of(domain: str) -> dict[str, Folders]:
    """Splits by their roles; a second one of a role by its own name."""
    if domain == "crowd":
        return {
            role: Folders("crowd", f"{role}2017", FIRST[role] * SEEDS_OF_A_SPLIT, f"{role}2017", "{seed:012d}.jpg")
            for role in ("train", "val")
        }
    kind, stem, ending = KINDS[domain]
    by_name: dict[str, Folders] = {}
    for part in LAYOUTS[kind].splits:
        before = [other for other in by_name.values() if other.role == part.role]
        first = (FIRST[part.role] + len(before)) * SEEDS_OF_A_SPLIT
        name = part.name if before else part.role
        files = part.images, f"{stem}.jpg", part.masks, f"{stem}{ending}.png"
        by_name[name] = Folders(domain, part.name, first, *files, role=part.role)
    return by_name


SPLITS = {domain: splits_of(domain) for domain in DATA_SETS}


def folders_of(domain: str, split: str) -> Folders:
    """The folders of a split, by `train`, `val`, `test` or the data set's own name for it.

    Raises:
        ValueError: the domain is unknown, or its data set has no such split.
    """
    if domain not in SPLITS:
        raise InputError(f"unknown domain {domain!r}; there are {', '.join(SPLITS)}")
    for name, folders in SPLITS[domain].items():
        if split.lower() in (name.lower(), folders.split.lower()):
            return folders
    known = ", ".join(
        name if name == folders.split else f"{name} ({folders.split})" for name, folders in SPLITS[domain].items()
    )
    raise InputError(f"unknown split {split!r} of domain {domain}: {DATA_SETS[domain]} has {known}")


def seeds_of(folders: Folders, seed: int, count: int) -> range:
    """The seeds of `count` scenes of a split, of which the first is number `seed`.

    Raises:
        ValueError: the numbers are out of range.
    """
    if seed + count > SEEDS_OF_A_SPLIT:
        raise InputError(f"seed is {seed} and count is {count}; a split has the seeds 0 to {SEEDS_OF_A_SPLIT - 1}")
    return range(folders.first_seed + seed, folders.first_seed + seed + count)
