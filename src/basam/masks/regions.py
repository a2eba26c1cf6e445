"""Masks without crumbs and pinholes, by OpenCV's connected regions (the extra `outputs`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basam.arrays import check_mask
from basam.files import outline, require
from basam.masks.cleaning import Cleaning
from basam.masks.soft import HALF, SoftMask, reach_in


def clean_mask(mask: NDArray[np.bool_], cleaning: Cleaning) -> NDArray[np.bool_]:
    """The cleaned mask `(H, W)`; it may be empty. Pixels that touch at a corner belong to one part."""
    check_mask(mask)
    if cleaning.does_nothing or not mask.any():
        return mask
    if cleaning.fill_holes:
        mask = filled(mask, cleaning.fill_holes, enclosed=True)
    if cleaning.min_area or cleaning.largest:
        regions, areas = regions_of(mask)
        kept = areas >= cleaning.min_area
        kept[0] = False
        if cleaning.largest and kept.any():
            kept &= np.arange(len(areas)) == np.where(kept, areas, 0).argmax()
        mask = kept[regions]
    return mask


def without_small_regions(mask: NDArray[np.bool_], least: int) -> tuple[NDArray[np.bool_], bool]:
    """A mask without holes and islands of fewer than `least` pixels, as `SamAutomaticMaskGenerator` cleans it, and whether it
    is another one. The largest island stays, however small."""
    whole = filled(mask, least, enclosed=False)
    islands = clean_mask(whole, Cleaning(min_area=least))
    found = islands if islands.any() else clean_mask(whole, Cleaning(largest=True))
    return found, not np.array_equal(found, mask)


def filled(mask: NDArray[np.bool_], least: int, *, enclosed: bool) -> NDArray[np.bool_]:
    """A mask without holes of fewer than `least` pixels; where `enclosed` is False, what lies open at the border is a hole."""
    regions, areas = regions_of(~mask)
    holes = areas < least
    if enclosed:
        for edge in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
            holes[edge] = False
    return mask | holes[regions]


def soft_after(soft: SoftMask, mask: NDArray[np.bool_]) -> SoftMask:
    """A soft edge that fits the cleaned mask `(H, W)` of the image: parts that are gone take their edges with them, and holes
    that were filled are wholly of the object."""
    top, left, reach = soft.top, soft.left, reach_in(*mask.shape)
    shares, inside = soft.shares(), mask[top : top + soft.shape[0], left : left + soft.shape[1]]
    was = shares >= HALF
    outer, inner = outline(~inside, reach) & ~was, outline(inside, reach) & was
    shares = np.where(outer | inner, shares, np.where(inside, 255, 0))
    return SoftMask.of_shares(shares.astype(np.uint8), top, left)


def regions_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The number of each pixel's region `(H, W)`, 0 outside the mask, and pixels of each region.

    Regions are of pixels that touch at a side or a corner. The area of 0 is that of no region: more than any.
    """
    library = require("cv2", "outputs")
    if not mask.size:  # the library ends the process on it
        return np.zeros(mask.shape, dtype=np.int32), np.array([np.iinfo(np.int64).max])
    _, regions, stats, _ = library.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, library.CC_STAT_AREA].astype(np.int64)
    areas[0] = np.iinfo(np.int64).max
    return regions, areas
