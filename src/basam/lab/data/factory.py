"""`open_dataset`: from the user's kind, folder and split to a `Dataset`, or to an error that tells what is there.

- `dis5k`: `DIS-TR`, `DIS-VD`, `DIS-TE1` to `DIS-TE4`, with `im/` and `gt/` in them; the split `DIS-TE` is all test parts
present
- `duts`: `DUTS-TR` and `DUTS-TE` with `*-Image/` and `*-Mask/`
- `isic2016`, `isic2017`, `isic2018`: the challenge's task 1 folders, splits `train`, `val`, `test`; `isic`: whichever is there
- `cod10k`: `COD10K-v3` with `Train` and `Test`, with `Image/` and `GT_Object/` in them
- `camouflage`: `Imgs/` and `GT/` (split `all`), or sub-folders with both (splits by their names)
- `coco`: `annotations/instances_*.json` and folders of images; splits `train2017`, `val2017` and so on. Or Roboflow's export:
  `train`, `valid` and `test`, with `_annotations.coco.json` beside the images
- `folder`: `images/` and `masks/` (split `all`), or sub-folders with both (splits by their names)

Folder names are in `layouts`; new data sets are added there.

Upper and lower case are the same in split names; `train`, `val` and `test` name the split of that role where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from basam.checks import nearest, path_of
from basam.errors import InputTypeError
from basam.files import is_litter, spelled
from basam.lab.data.base import Dataset, Role, reported_name
from basam.lab.data.coco import coco_splits, read_coco
from basam.lab.data.issues import DatasetError, Issues
from basam.lab.data.kinds import CROWDS, KINDS, takes_rule
from basam.lab.data.layouts import (
    IMAGE_FOLDERS,
    ISIC_YEARS,
    LAYOUTS,
    MASK_FOLDERS,
    Layout,
    SplitFolders,
    camouflage_layout,
    folder_layout,
)
from basam.lab.data.mask_rules import THRESHOLD, MaskRule
from basam.lab.data.pairs import pair_files


def open_dataset(
    kind: str,
    root: str | Path,
    split: str | None = None,
    *,
    images: str | None = None,
    masks: str | None = None,
    name: str | None = None,
    mask_values: str | None = None,
) -> Dataset:
    """Open one split of a data set as downloaded; nothing but file names (and COCO's JSON) is read.

    Args:
        kind: one of `KINDS`.
        root: the folder described above.
        split: its split; None takes the only one, or the one that results are reported on.
        name: in reports. None: that of its marker file, else the name of its layout; see `reported_name`.
        images, masks: for `folder` only, and only both: the two folders, as paths below `root`.
        mask_values: for `folder`: what values of masks mean, `nonzero`, `threshold`, `label=K` or `instances`; see
            `mask_rules`. None: an object against nothing, and values that look like labels are rejected. For `coco`: `crowds`
            makes objects of annotations with `iscrowd` 1. The published data sets have their own rule, `threshold`.

    Raises:
        DatasetError: unknown kind, wrong root, unknown or ambiguous split, missing folder, or no sample in it; the
            message lists what was expected and what is there.
    """
    root = _checked_root(kind, root)
    if (images is None) != (masks is None) or (images is not None and kind != "folder"):
        raise DatasetError(f"images={images!r}, masks={masks!r}: give both, and only for kind 'folder'")
    if mask_values is not None and not takes_rule(kind, mask_values):
        needed = "coco" if mask_values == CROWDS else "folder"
        raise DatasetError(
            f"mask values {mask_values!r} are for kind {needed!r}: data of kind {kind!r} has its own rule. Where its masks "
            "mean something else, open it as 'folder', with its folders of images and of masks"
        )
    rule = THRESHOLD if kind != "folder" else None if mask_values is None else MaskRule.parse(mask_values)
    if kind == "coco":
        splits = coco_splits(root)
        if not splits:
            raise _wrong_root(kind, root)
        chosen = _choose(split, {name: part.role for name, part in splits.items()}, (), root)
        return read_coco(root, splits[chosen], name, mask_values == CROWDS)
    layout = _layout(kind, root, images, masks)
    present = _present(layout, root)
    if not present:
        raise _wrong_root(kind, root, layout.splits)
    names = [part.name for part in present]
    unions = {union: set(parts) for union, parts in layout.unions.items() if set(parts) & set(names)}
    roles = {part.name: part.role for part in present}
    roles |= {union: next(roles[name] for name in names if name in parts) for union, parts in unions.items()}
    chosen = _choose(split, roles, tuple(unions), root)
    members = [part for part in present if part.name == chosen or part.name in unions.get(chosen, ())]
    return _read_pairs(kind, root, layout, chosen, members, name, rule)


def splits_of(kind: str, root: str | Path) -> list[str]:
    """Names of the splits of a data set that are present in `root`; raises DatasetError as `open_dataset` does."""
    root = _checked_root(kind, root)
    return list(coco_splits(root)) if kind == "coco" else [part.name for part in _present(_layout(kind, root), root)]


def _checked_root(kind: str, root: str | Path) -> Path:
    if kind not in KINDS:
        raise DatasetError(f"kind {kind!r} is unknown: known are {', '.join(KINDS)}{nearest(kind, KINDS)}")
    root = path_of(root, "root")
    if not root.is_dir():
        raise DatasetError(f"{root}: {'a file, not a folder' if root.exists() else 'no such folder'}")
    return root


def _layout(kind: str, root: Path, images: str | None = None, masks: str | None = None) -> Layout:
    if kind == "folder":
        return folder_layout(root, images, masks)
    if kind == "camouflage":
        return camouflage_layout(root)
    if kind == "isic":
        years = [year for year in ISIC_YEARS if _present(LAYOUTS[year], root)]
        if len(years) > 1:
            raise DatasetError(f"{root}: holds several years of ISIC; say which: {', '.join(years)}")
        return LAYOUTS[years[0]] if years else Layout("ISIC", tuple(s for year in ISIC_YEARS for s in LAYOUTS[year].splits))
    return LAYOUTS[kind]


def _present(layout: Layout, root: Path) -> list[SplitFolders]:
    """Splits of which at least one of the two folders is there."""
    return [part for part in layout.splits if (root / part.images).is_dir() or (root / part.masks).is_dir()]


def _choose(split: str | None, roles: Mapping[str, Role], unions: Sequence[str], root: Path) -> str:
    """The name of the split that `split` means."""
    single = [name for name in roles if name not in unions]
    if split is None and len(single) == 1:
        return single[0]
    if split is not None and not isinstance(split, str):
        raise InputTypeError(f"split={split!r}: a name is needed, such as 'train'")
    wanted = "test" if split is None else spelled(split).casefold()
    named = [name for name in roles if spelled(name).casefold() == wanted]
    in_role = [name for name, role in roles.items() if role == wanted]
    unions_in_role = [name for name in in_role if name in unions]
    for candidates in (named, unions_in_role, in_role):
        if len(candidates) == 1:
            return candidates[0]
    problem = "which split?" if split is None or in_role else f"no split {split!r};"
    raise DatasetError(f"{root}: {problem} present are {', '.join(roles)}")


def _read_pairs(
    kind: str,
    root: Path,
    layout: Layout,
    split: str,
    members: Sequence[SplitFolders],
    given: str | None,
    rule: MaskRule | None,
) -> Dataset:
    samples, issues = [], Issues()
    for part in members:
        for folder in (part.images, part.masks):
            if not (root / folder).is_dir():
                raise DatasetError(
                    f"{root}: split {part.name} needs the folders {part.images} and {part.masks}; {folder} is missing"
                )
        images, masks = root / part.images, root / part.masks
        pairs, pair_issues = pair_files(
            images, masks, root=root, endings=layout.endings, skip=layout.skip, own=layout.own, rule=rule
        )
        samples += pairs
        issues.extend(pair_issues)
    if not samples:
        folders = ", ".join(f"{part.images} and {part.masks}" for part in members)
        problems = "; ".join(issues.lines()) or "the folders are empty"
        raise DatasetError(f"{root}: no pair of image and mask in {folders}: {problems}")
    # Papers name a camouflage set by its folder, and one root holds several of them.
    named_by = root / Path(members[0].images).parent if kind == "camouflage" else root
    name = named_by.resolve().name if kind == "camouflage" else layout.name
    title = reported_name(name, named_by, given)
    return Dataset(kind, title, name, split, members[0].role, root, tuple(samples), issues)


def _wrong_root(kind: str, root: Path, splits: Sequence[SplitFolders] = ()) -> DatasetError:
    """What was expected in `root`, what is there, and whether the right folder is next to it."""
    present = sorted(path for path in root.iterdir() if not is_litter(path.name))
    entries = [path.name + ("/" if path.is_dir() else "") for path in present]
    names = ", ".join(entries[:8]) + (f", ... ({len(entries)} in all)" if len(entries) > 8 else "") if entries else "nothing"
    message = f"{root}: no data set of kind {kind!r}: expected {_expected(kind, splits)}; the folder has {names}"
    nearby = [folder for folder in (root.absolute().parent, *present) if folder.is_dir() and _fits(kind, folder)]
    return DatasetError(message + (f". Did you mean {nearby[0]}?" if nearby else ""))


def _fits(kind: str, folder: Path) -> bool:
    try:
        return bool(splits_of(kind, folder))
    except (DatasetError, OSError):
        return False


def _expected(kind: str, splits: Sequence[SplitFolders]) -> str:
    if splits:
        return "one of " + ", ".join(f"{part.images} with {part.masks}" for part in splits)
    if kind == "coco":
        return "annotations/instances_*.json, or _annotations.coco.json beside the images of every split"
    if kind == "camouflage":
        return "Imgs and GT, or sub-folders with both"
    return f"a folder of images ({', '.join(IMAGE_FOLDERS)}) beside one of masks ({', '.join(MASK_FOLDERS)})"
