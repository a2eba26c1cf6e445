"""Where the files of a domain go: the folders and names of the data set it stands for.

The seeds of the splits lie apart, so that the test split never holds a scene of the training split, and the number in a
file name is the seed that `render` takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from basam.errors import InputError

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


def _dis(name: str, first: int) -> Folders:
    stem = "0#Scenes#0#Generated#{seed:07d}"
    return Folders("thin", name, first, f"{name}/im", f"{stem}.jpg", f"{name}/gt", f"{stem}.png")


def _duts(name: str, first: int) -> Folders:
    return Folders(
        "salient", name, first, f"{name}/{name}-Image", "scene_{seed:08d}.jpg", f"{name}/{name}-Mask", "scene_{seed:08d}.png"
    )


def _isic(name: str, first: int) -> Folders:
    images, masks = f"ISIC-2017_{name}_Data", f"ISIC-2017_{name}_Part1_GroundTruth"
    return Folders("lesion", name, first, images, "ISIC_{seed:07d}.jpg", masks, "ISIC_{seed:07d}_segmentation.png")


def _cod(name: str, first: int) -> Folders:
    stem = "COD10K-CAM-0-Scenes-0-Generated-{seed}"
    return Folders("camouflage", name, first, f"{name}/Image", f"{stem}.jpg", f"{name}/GT_Object", f"{stem}.png")


def _coco(name: str, first: int) -> Folders:
    return Folders("crowd", name, first, name, "{seed:012d}.jpg")


TRAIN, VAL, TEST = 0, 3 * SEEDS_OF_A_SPLIT, 6 * SEEDS_OF_A_SPLIT
SPLITS: dict[str, dict[str, Folders]] = {
    "thin": {
        "train": _dis("DIS-TR", TRAIN),
        "val": _dis("DIS-VD", VAL),
        "test": _dis("DIS-TE1", TEST),
        **{f"DIS-TE{part}": _dis(f"DIS-TE{part}", TEST + (part - 1) * SEEDS_OF_A_SPLIT) for part in (2, 3, 4)},
    },
    "salient": {"train": _duts("DUTS-TR", TRAIN), "test": _duts("DUTS-TE", TEST)},
    "lesion": {"train": _isic("Training", TRAIN), "val": _isic("Validation", VAL), "test": _isic("Test_v2", TEST)},
    "camouflage": {"train": _cod("Train", TRAIN), "test": _cod("Test", TEST)},
    "crowd": {"train": _coco("train2017", TRAIN), "val": _coco("val2017", VAL)},
}


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
