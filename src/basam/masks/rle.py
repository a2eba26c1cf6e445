"""COCO segmentations read from files and checked before they are drawn; polygons by `faster_coco_eval` (extra `evaluate`).

The library does not check: wrong types and endless runs would fill the memory or end the process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from basam.checks import is_whole
from basam.errors import InputError
from basam.files import require
from basam.masks.runs import RunMask

# A polygon that leaves the image by more than this many of its long sides is a mistake.
FARTHEST = 10
# Longest outline in pixels of one object: the library needs about a hundred bytes per pixel.
LONGEST_OUTLINE = 4e6


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """`mask` (H, W) bool as COCO's compressed RLE, plain JSON: `{"size": [H, W], "counts": "..."}`."""
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype.kind not in "biu":
        raise InputError(f"mask of shape {array.shape} and {array.dtype}: (H, W) bool is needed")
    return RunMask.of(array.astype(bool)).coco()


def decode_segmentation(segmentation: Any, height: int, width: int) -> np.ndarray:
    """(height, width) bool of an annotation's `segmentation`: polygons, RLE with a list of counts, or compressed RLE.

    Polygons of fewer than three points are ignored if there are others.

    Raises:
        ValueError: anything else, a wrong size, or values that make no sense.
    """
    if segmentation == []:
        return np.zeros((height, width), dtype=bool)
    if isinstance(segmentation, list):
        polygons = checked_polygons(segmentation, height, width)
        if not polygons:  # all of them outside
            return np.zeros((height, width), dtype=bool)
        library = require("faster_coco_eval.core.mask", "evaluate")
        return library.decode(library.merge(library.frPyObjects(polygons, height, width))).astype(bool)
    return read_runs(segmentation, height, width).mask()


def read_runs(segmentation: Any, height: int, width: int) -> RunMask:
    """The runs of an RLE with a list of counts or a compressed text, checked.

    Raises:
        ValueError: anything else, a wrong size, or values that make no sense.
    """
    if not isinstance(segmentation, dict) or "counts" not in segmentation or "size" not in segmentation:
        raise InputError(f"neither polygons nor RLE: {str(segmentation)[:60]}")
    size, counts = segmentation["size"], segmentation["counts"]
    if not isinstance(size, list) or len(size) != 2 or not all(map(is_whole, size)):
        raise InputError(f"RLE of size {str(size)[:60]}: two whole numbers, height and width, are needed")
    if size != [height, width]:
        raise InputError(f"RLE of {size[1]} x {size[0]} for an image of {width} x {height}")
    runs = runs_of(counts)
    if len(runs) and runs.min() < 0:
        raise InputError(f"RLE with a run of {runs.min()} pixels")
    # Summed as floats: very many runs could overflow integers.
    if runs.sum(dtype=np.float64) != height * width:
        raise InputError(f"RLE counts sum to {runs.sum(dtype=np.float64):.0f} and not to the image's {height * width} pixels")
    return RunMask(height, width, runs)


def checked_polygons(polygons: list[Any], height: int, width: int) -> list[list[float]]:
    """Polygons with an area, their numbers checked; parts far outside the image are cut off.

    Raises:
        ValueError: a polygon is not a list of pairs of finite numbers, is far outside the image or extremely long, or none has
            three points.
    """
    checked = []
    for polygon in polygons:
        points = _numbers(polygon)
        _check_near(points, height, width)
        if len(points) < 6:
            continue
        if len(points) % 2:
            raise InputError(f"a polygon of {len(points)} numbers: pairs x, y, x, y, ... are needed")
        limits = np.tile([width, height], len(points) // 2)
        near = 0.1 * limits + 16
        if (points < -near).any() or (points > limits + near).any():
            polygon = clipped(points.reshape(-1, 2), width, height).ravel().tolist()
        checked.append(polygon)
    if not checked:
        raise InputError("a polygon needs at least three points, as x, y, x, y, ...")
    checked = [polygon for polygon in checked if polygon]
    outline = sum(np.abs(np.diff(np.reshape(polygon, (-1, 2)), axis=0)).max(axis=1).sum() for polygon in checked)
    if outline > LONGEST_OUTLINE:
        raise InputError(f"polygons with an outline of {outline:.3g} pixels are not an object")
    return checked


def _numbers(polygon: Any) -> np.ndarray:
    """The polygon's numbers, float64.

    Raises:
        ValueError: something else.
    """
    if not isinstance(polygon, list):
        raise InputError(f"a polygon must be a list of numbers x, y, x, y, ...; this is {str(polygon)[:40]}")
    if set(map(type, polygon)) <= {int, float}:
        try:
            points = np.array(polygon, dtype=np.float64)
        except OverflowError:
            wrong: Any = "a number beyond all bounds"
        else:
            if np.isfinite(points).all():
                return points
            wrong = points[~np.isfinite(points)][0]
    else:
        wrong = next(value for value in polygon if type(value) not in (int, float))
    raise InputError(f"a polygon with the coordinate {str(wrong)[:40]}: finite numbers are needed")


def _check_near(points: np.ndarray, height: int, width: int) -> None:
    farthest = FARTHEST * max(height, width)
    if len(points) and (points.min() < -farthest or points.max() > max(height, width) + farthest):
        worst = points[np.abs(points).argmax()]
        raise InputError(f"a polygon with the coordinate {worst:g}, far outside the image of {width} x {height}")


def clipped(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """The part of a polygon `(P, 2)` in the image and a pixel around it (Sutherland and Hodgman, 1974); it may be empty."""
    for axis, sign, limit in ((0, -1, 1.0), (0, 1, width + 1.0), (1, -1, 1.0), (1, 1, height + 1.0)):
        if not len(points):
            break
        inside = limit - sign * points[:, axis]  # how far inside of this side of the window
        before, here = np.roll(inside, 1), np.roll(points, 1, axis=0)
        crossed = (inside >= 0) != (before >= 0)
        share = np.divide(before, before - inside, out=np.zeros_like(before), where=crossed)
        crossings = here + share[:, None] * (points - here)
        both = np.stack([crossings, points], axis=1).reshape(-1, 2)
        points = both[np.stack([crossed, inside >= 0], axis=1).ravel()]
    return points


def runs_of(counts: Any) -> np.ndarray:
    """Run lengths of an RLE, starting with the background.

    Raises:
        ValueError: neither a list of whole numbers nor COCO's text, or text that ends within a number.
    """
    if isinstance(counts, list):
        if not all(map(is_whole, counts)):
            wrong = next(value for value in counts if not is_whole(value))
            raise InputError(f"RLE with the count {str(wrong)[:40]!r}: whole numbers are needed")
        if any(not -(1 << 62) < value < 1 << 62 for value in counts):
            raise InputError("RLE with a count of more pixels than there can be")
        return np.array(counts, dtype=np.int64)
    if not isinstance(counts, (str, bytes)):
        raise InputError(f"RLE with counts {str(counts)[:40]!r}: a list of whole numbers or a text is needed")
    return unpacked(counts.encode("utf-8", "replace") if isinstance(counts, str) else counts)


def unpacked(text: bytes) -> np.ndarray:
    """Runs of COCO's compressed form: numbers in pieces of five bits, lowest first; from the third run on, differences to the
    run before the last (`rleFrString` of pycocotools)."""
    pieces = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if not len(pieces):
        return pieces
    if pieces.min() < 0 or pieces.max() > 63:
        raise InputError(f"Invalid RLE: compressed counts with the character {text.decode('utf-8', 'replace')[:40]!r}")
    last = (pieces & 32) == 0
    if not last[-1]:
        raise InputError("Invalid RLE: compressed counts that end in the middle of a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise InputError("Invalid RLE: compressed counts with a number of more than 50 bits")
    place = np.arange(len(pieces)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((pieces & 31) << (5 * place), starts)
    runs = np.where(pieces[ends] & 16, runs - (np.int64(1) << (5 * lengths)), runs)  # the last piece holds the sign
    # Odd and even runs are cumulative sums of their own; the first run stands alone.
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
