"""Write pictures of a photo's masks: overlay, cut-outs, label map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from basam.files import distinct_colours, overlay, replacing, require, write_image, write_mask
from basam.masks import PhotoResults, edge_width, foreground_colours


def write_overlay(path: Path, results: PhotoResults) -> None:
    """The photo with all masks tinted and outlined, and with the prompts, as JPEG; several masks have their `number` of tables.

    Colours are those of the SVG; without boxes larger masks are drawn first, so that none is hidden.
    """
    colours = distinct_colours([one.runs.box for one in results.masks])
    order = list(range(len(results.masks)))
    if not results.boxes:
        order.sort(key=lambda index: -results.masks[index].runs.area)
    masks = (results.masks[index].runs.mask() for index in order)
    numbers = [index + 1 for index in order] if len(order) > 1 else None
    shades = [colours[index] for index in order]
    drawn = overlay(results.pixels, masks, boxes=results.boxes, points=results.points, colours=shades, numbers=numbers)
    write_image(path, drawn)


def write_one_mask(path: Path, results: PhotoResults, index: int) -> None:
    """A mask of a photo; black where it has none."""
    write_mask(path, results.masks[index].runs.mask() if results.masks else np.zeros(results.size, dtype=bool))


def write_cutout(path: Path, results: PhotoResults, index: int) -> None:
    """The rectangle of the photo around a mask, with the mask as alpha, as RGBA PNG; with a soft edge if it is known.

    `left` and `top` in the file's text are its place in the photo. A photo without masks: all of it, transparent.
    """
    left, top, alpha = 0, 0, np.zeros(results.size, dtype=np.uint8)
    if results.masks:
        one = results.masks[index]
        if one.soft is None:
            (left, top, *_), alpha = one.runs.box, one.runs.part().astype(np.uint8) * 255
        else:
            # Uncertain areas extend farther than the soft edge, and than cleaning leaves.
            down, across, alpha = trimmed(one.soft.shares())
            left, top = one.soft.left + across, one.soft.top + down
    part = part_of_photo(results, left, top, alpha)
    text = PngImagePlugin.PngInfo()
    text.add_text("left", str(left))
    text.add_text("top", str(top))
    with replacing(path) as temporary:
        Image.fromarray(np.dstack([part, alpha])).save(temporary, "PNG", pnginfo=text)


def part_of_photo(results: PhotoResults, left: int, top: int, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours `(h, w, 3)` of the rectangle of the photo at `left`, `top` of `alpha` `(h, w)`, without the background's."""
    height, width = results.size
    rows, columns = alpha.shape
    # Colours around the rectangle are needed to estimate the background.
    radius = 4 * edge_width(height, width)
    x0, y0 = max(0, left - radius), max(0, top - radius)
    x1, y1 = min(width, left + columns + radius), min(height, top + rows + radius)
    pixels = results.pixels
    if pixels.shape[:2] == (height, width):
        pixels = pixels[y0:y1, x0:x1]
    else:  # the photo was read smaller
        scale = pixels.shape[1] / width
        box = tuple(min(end, value * scale) for value, end in zip((x0, y0, x1, y1), pixels.shape[1::-1] * 2, strict=True))
        pixels = np.asarray(Image.fromarray(pixels).resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC, box=box))
    around = np.zeros(pixels.shape[:2], dtype=np.uint8)
    inside = slice(top - y0, top - y0 + rows), slice(left - x0, left - x0 + columns)
    around[inside] = alpha
    return foreground_colours(pixels, around, radius)[inside]


def trimmed(alpha: NDArray[np.uint8]) -> tuple[int, int, NDArray[np.uint8]]:
    """The smallest rectangle with all values above 0: its first row and column, its values; if all are 0, one pixel of 0."""
    rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
    if not rows.size:
        return 0, 0, np.zeros((1, 1), dtype=np.uint8)
    return int(rows[0]), int(columns[0]), alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def write_labels(path: Path, results: PhotoResults) -> None:
    """A map with the number of the mask per pixel, from 1 in the order of the masks, and 0 for the background; where masks
    overlap, the smaller one wins. PNG of 16 bits, or TIFF of 32 by the suffix of `path`."""
    wide = path.suffix == ".tif"
    labels = np.zeros(results.size, dtype=np.uint32 if wide else np.uint16)
    for index in sorted(range(len(results.masks)), key=lambda index: -results.masks[index].runs.area):
        runs = results.masks[index].runs
        x0, y0, x1, y1 = runs.box
        labels[y0:y1, x0:x1][runs.part()] = index + 1
    with replacing(path) as temporary:
        if wide:
            require("tifffile", "outputs").imwrite(temporary, labels)
        else:
            Image.fromarray(labels).save(temporary, "PNG")
