"""Remove small regions and holes from masks, with OpenCV's connected components (the extra `outputs`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from basam.arrays import check_mask
from basam.files import outline, require
from basam.masks.cleaning import Cleaning
from basam.masks.soft import HALF, SoftMask, edge_width


def clean_mask(mask: NDArray[np.bool_], cleaning: Cleaning) -> NDArray[np.bool_]:
    """The cleaned mask `(H, W)`, possibly empty. Pixels that touch at a corner belong to one region."""
    check_mask(mask)
    if cleaning.does_nothing or not mask.any():
        return mask
    if cleaning.fill_holes:
        mask = filled(mask, cleaning.fill_holes, enclosed=True)
    if cleaning.min_area or cleaning.largest:
        regions, areas = regions_of(mask)
        wanted = areas >= cleaning.min_area
        wanted[0] = False
        if cleaning.largest and wanted.any():
            wanted &= np.arange(len(areas)) == np.where(wanted, areas, 0).argmax()
        mask = wanted[regions]
    return mask


def without_small_regions(mask: NDArray[np.bool_], least: int) -> tuple[NDArray[np.bool_], bool]:
    """A mask without holes and islands of fewer than `least` pixels, as `SamAutomaticMaskGenerator` cleans it, and whether it
    changed. The largest island stays, however small."""
    whole = filled(mask, least, enclosed=False)
    islands = clean_mask(whole, Cleaning(min_area=least))
    cleaned = islands if islands.any() else clean_mask(whole, Cleaning(largest=True))
    return cleaned, not np.array_equal(cleaned, mask)


def filled(mask: NDArray[np.bool_], least: int, *, enclosed: bool) -> NDArray[np.bool_]:
    """A mask with holes of fewer than `least` pixels filled; unless `enclosed`, a gap open at the border is a hole too."""
    regions, areas = regions_of(~mask)
    holes = areas < least
    if enclosed:
        for edge in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
            holes[edge] = False
    return mask | holes[regions]


def soft_after(soft: SoftMask, mask: NDArray[np.bool_]) -> SoftMask:
    """The soft edge of the cleaned mask `(H, W)` of the image: regions that were removed lose their edges, and filled holes are
    fully opaque."""
    top, left, reach = soft.top, soft.left, edge_width(*mask.shape)
    shares, inside = soft.shares(), mask[top : top + soft.shape[0], left : left + soft.shape[1]]
    was = shares >= HALF
    outer, inner = outline(~inside, reach) & ~was, outline(inside, reach) & was
    shares = np.where(outer | inner, shares, np.where(inside, 255, 0))
    return SoftMask.of_shares(shares.astype(np.uint8), top, left)


def regions_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The label of every pixel's region `(H, W)`, 0 outside the mask, and the pixels per region.

    Pixels that touch at a side or a corner are of one region. Label 0 gets a larger area than any region.
    """
    library = require("cv2", "outputs")
    if not mask.size:  # OpenCV aborts the process on an empty array
        return np.zeros(mask.shape, dtype=np.int32), np.array([np.iinfo(np.int64).max])
    _, regions, stats, _ = library.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, library.CC_STAT_AREA].astype(np.int64)
    areas[0] = np.iinfo(np.int64).max
    return regions, areas
