"""Folders of images beside folders of masks: files are paired by name, and what finds no partner is named."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from basam.files import MAX_PIXELS, is_image, spelled
from basam.lab.data.base import Loaded
from basam.lab.data.issues import Issue, Issues
from basam.lab.data.mask_rules import MaskRule, read_objects
from basam.lab.data.photos import check_sizes, open_photo


@dataclass(frozen=True)
class PairSample:
    """An image file and a mask file.

    `rule` is the meaning of the mask's values (None: labels are rejected, see `mask_rules`); but for maps of objects there is
    one instance, whose id is "0".
    """

    id: str
    image_path: Path
    mask_path: Path
    max_pixels: int | None = MAX_PIXELS
    rule: MaskRule | None = None

    def image(self) -> Image.Image:
        """The image alone, upright."""
        return open_photo(self.image_path, self.max_pixels)[0]

    def load(self) -> Loaded:
        """Image and mask; raises SampleError where one cannot be read, they differ in size or the mask is empty."""
        image, odd = open_photo(self.image_path, self.max_pixels)
        content = read_objects(self.mask_path, self.rule, self.max_pixels)
        height, width = content.instances[0].pixels.shape
        check_sizes(image, height, width, self.image_path, "mask")
        return Loaded(image, content.instances, (*odd, *content.issues), content.ignored)


def pair_files(
    images: Path,
    masks: Path,
    *,
    root: Path,
    endings: Sequence[str] = (),
    skip: Mapping[str, str] | None = None,
    own: str = "",
    rule: MaskRule | None = None,
) -> tuple[list[PairSample], Issues]:
    """Samples of two folders, in the order of their names, without decoding anything.

    A mask belongs to the image of the same stem, or of the stem without one of `endings` (`_segmentation`; upper and
    lower case are the same); `rule` is the meaning of its values. `skip` maps a pattern, searched in stems, to the problem
    under which such images are counted and left alone, with their masks; images in whose stem the pattern `own` is not
    that exist are read and counted as foreign.
    """
    issues = Issues()
    image_of = _by_stem(images, issues)
    for pattern, problem in (skip or {}).items():
        skipped = [stem for stem in image_of if re.search(pattern, stem)]
        issues.extend(Issue(problem, str(path)) for stem in skipped for path in image_of.pop(stem))
    masks_of: dict[str, list[Path]] = defaultdict(list)
    for stem, paths in _by_stem(masks, issues).items():
        masks_of[_image_stem(stem, image_of, endings)] += paths
    samples = []
    for stem in sorted(image_of | masks_of):
        pair = image_of.get(stem, []), masks_of.get(stem, [])
        several = [path for paths in pair if len(paths) > 1 for path in paths]
        if several:
            issues.add(Issue("ambiguous", str(several[0]), ", ".join(path.name for path in several)))
        elif not pair[1]:
            issues.add(Issue("no-mask", str(pair[0][0]), f"none in {masks}"))
        elif pair[0]:
            (image,), (mask,) = pair
            if not re.search(own, stem):
                issues.add(Issue("foreign-image", str(image)))
            samples.append(PairSample(spelled(image.relative_to(root).with_suffix("").as_posix()), image, mask, rule=rule))
        elif not any(re.search(pattern, stem) for pattern in skip or {}):
            issues.add(Issue("no-image", str(pair[1][0]), f"none in {images}"))
    return samples, issues


def _by_stem(folder: Path, issues: Issues) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if is_image(path):
            files[spelled(path.stem)].append(path)
        else:
            issues.add(Issue("other-file", str(path)))
    return files


def _image_stem(stem: str, images: Mapping[str, object], endings: Sequence[str]) -> str:
    """Stem of the image that the mask `stem` belongs to."""
    if stem not in images:
        for ending in endings:
            if stem.lower().endswith(ending):
                return stem[: -len(ending)]
    return stem
