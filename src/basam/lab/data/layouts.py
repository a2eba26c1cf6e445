"""Folder layouts of the published data sets. They are read by `pairs` and `coco`, and chosen by `factory`.

A data set of photographs and masks in folders is added here, one of other annotations in `factory`.

Sources: the archives that the data sets' own pages offer: DIS5K (Qin et al., ECCV 2022), DUTS (Wang et al., CVPR 2017),
the ISIC challenges of 2016, 2017 and 2018, COD10K (Fan et al., CVPR 2020), and the test folders that papers on
camouflage hand around (CAMO, CHAMELEON, COD10K, NC4K).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from basam.files import is_litter
from basam.lab.data.base import Role


@dataclass(frozen=True)
class SplitFolders:
    """Where one split lives below the root; its images and masks are paired by name."""

    name: str
    role: Role
    images: str
    masks: str


@dataclass(frozen=True)
class Layout:
    """A data set of paired folders.

    unions: splits that are several others read as one. endings: what mask names have and image names have not. skip:
    and own: see `pairs.pair_files`.
    """

    name: str
    splits: tuple[SplitFolders, ...]
    unions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    endings: tuple[str, ...] = ()
    skip: Mapping[str, str] = field(default_factory=dict)
    own: str = ""


def _dis(name: str, role: Role) -> SplitFolders:
    return SplitFolders(name, role, f"{name}/im", f"{name}/gt")


def _duts(name: str, role: Role) -> SplitFolders:
    return SplitFolders(name, role, f"{name}/{name}-Image", f"{name}/{name}-Mask")


def _isic(year: int, images: str, masks: str) -> Layout:
    """`images` and `masks` are folder names with `{}` for the name of the split."""
    names: dict[str, Role] = {"Training": "train", "Validation": "val", "Test_v2" if year == 2017 else "Test": "test"}
    if year == 2016:
        del names["Validation"]  # that year had none
    splits = tuple(SplitFolders(role, role, images.format(name), masks.format(name)) for name, role in names.items())
    skip = {"_superpixels$": "superpixels"}
    return Layout(f"ISIC{year}", splits, endings=("_segmentation",), skip=skip, own="^ISIC_")


def _cod(name: str, role: Role) -> SplitFolders:
    return SplitFolders(name, role, f"{name}/Image", f"{name}/GT_Object")


ISIC_YEARS = ("isic2016", "isic2017", "isic2018")

LAYOUTS = {
    "dis5k": Layout(
        "DIS5K",
        (_dis("DIS-TR", "train"), _dis("DIS-VD", "val"), *(_dis(f"DIS-TE{part}", "test") for part in (1, 2, 3, 4))),
        unions={"DIS-TE": ("DIS-TE1", "DIS-TE2", "DIS-TE3", "DIS-TE4")},
    ),
    "duts": Layout("DUTS", (_duts("DUTS-TR", "train"), _duts("DUTS-TE", "test"))),
    "isic2016": _isic(2016, "ISBI2016_ISIC_Part1_{}_Data", "ISBI2016_ISIC_Part1_{}_GroundTruth"),
    "isic2017": _isic(2017, "ISIC-2017_{}_Data", "ISIC-2017_{}_Part1_GroundTruth"),
    "isic2018": _isic(2018, "ISIC2018_Task1-2_{}_Input", "ISIC2018_Task1_{}_GroundTruth"),
    # Photographs without a camouflaged animal have no mask to measure against.
    "cod10k": Layout("COD10K", (_cod("Train", "train"), _cod("Test", "test")), skip={"-NonCAM-": "no-object"}),
}


def camouflage_layout(root: Path) -> Layout:
    """`Imgs` + `GT` in `root` or in its sub-folders, as papers on camouflage share CAMO, CHAMELEON, COD10K and NC4K.

    A sub-folder is a split, as is `root` itself (`all`). Everything is a test split but what calls itself training or
    validation, because these folders are handed around as test sets.
    """
    return Layout(root.resolve().name, _splits_below(root, ("imgs", "image", "images"), ("gt",), "test"))


IMAGE_FOLDERS = ("images", "image", "imgs", "im", "photos")
MASK_FOLDERS = ("masks", "mask", "gt", "labels")


def folder_layout(root: Path, images: str | None = None, masks: str | None = None) -> Layout:
    """Any images and masks: two folders in `root`, or in its sub-folders (`train`, `val`, ...).

    The folders' names are `images` and `masks` where given (paths below `root`), otherwise the first of `IMAGE_FOLDERS`
    and `MASK_FOLDERS` that are there, upper and lower case being the same.
    """
    if images is not None and masks is not None:
        splits: tuple[SplitFolders, ...] = (SplitFolders("all", _role(root.name, "unknown"), images, masks),)
    else:
        splits = _splits_below(root, IMAGE_FOLDERS, MASK_FOLDERS, "unknown")
    return Layout(root.resolve().name, splits, endings=("_mask", "-mask", "_masks", "_gt", "_segmentation", "_seg"))


def _splits_below(root: Path, images: tuple[str, ...], masks: tuple[str, ...], unknown: Role) -> tuple[SplitFolders, ...]:
    """`root` and its sub-folders that hold a folder of images and one of masks, by the first of these names that is there."""
    splits = []
    for folder in (root, *_folders(root)):
        names_of = {path.name.lower(): path.name for path in _folders(folder)}
        pair = [next((names_of[name] for name in names if name in names_of), None) for names in (images, masks)]
        if None not in pair:
            name, below = ("all", "") if folder == root else (folder.name, f"{folder.name}/")
            splits.append(SplitFolders(name, _role(folder.name, unknown), f"{below}{pair[0]}", f"{below}{pair[1]}"))
    return tuple(splits)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_litter(path.name))


def _role(folder: str, unknown: Role) -> Role:
    """The role of a folder, by its name."""
    name = folder.lower()
    roles: tuple[tuple[str, Role], ...] = (("train", "train"), ("val", "val"), ("test", "test"))
    return next((role for word, role in roles if word in name), unknown)
