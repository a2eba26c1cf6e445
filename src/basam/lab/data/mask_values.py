"""The values of a mask file as stored: never scaled, colours and alpha separate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from basam.files import MAX_PIXELS, ImageError, StoredPicture, open_picture
from basam.lab.data.issues import Issue, SampleError
from basam.lab.data.photos import without_path

# What 32 bits hold at most, as the float32 that such numbers are read as.
FULL_32 = 2**32
ALPHA_MODES = ("LA", "PA", "RGBA", "La", "RGBa")
# Visible colours above so many that lie in no flat areas are a photograph cut out by its alpha channel.
LABELS_OF_CUT_OUT = 16
FLAT = 0.6
HASHED_BYTES = 50_000  # pixels, evenly spaced, by which it is decided how flat a picture is
LOSSY = ("JPEG", "MPO", "AVIF", "HEIF")
# Formats whose grey comes back with channels that differ by so much at most.
GREYISH, LOSSY_OR_NOT = 8, ("WEBP", "JPEG2000")


@dataclass(frozen=True, eq=False)
class MaskValues:
    """One number per pixel.

    Attributes:
        values: `(H, W)` how bright or opaque a pixel is: whole numbers, or floats.
        labels: `(H, W)` whole numbers that name objects or classes: palette indices, or R + 256 G + 65536 B of colours (as in
            COCO's panoptic files). The same array as `values` where these are whole. None: there are none, only fractions.
        full: the largest value that the file could hold, which is what white means; None: unknown.
        unknown: `(H, W)` bool pixels that have no value (NaN, nodata); None: there are none.
        coloured: a palette or true colours, of which `values` is the luminance.
        lossy: stored by a format that changes values.
        from_alpha: the alpha channel, because the colours say nothing.
    """

    values: np.ndarray
    labels: np.ndarray | None
    full: int | None
    unknown: np.ndarray | None = None
    coloured: bool = False
    lossy: bool = False
    from_alpha: bool = False

    @property
    def separated(self) -> np.ndarray:
        """`(H, W)` what differs wherever the picture does, and is 0 where there is nothing."""
        return self.labels if self.coloured and self.labels is not None else self.values


def counts_of(values: np.ndarray) -> dict[float, int]:
    """Number of pixels of every value that occurs, lowest first."""
    if values.dtype == np.uint8:
        counts = np.array(Image.fromarray(values).histogram())
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    low, high = values.min(), values.max()
    lowest, highest = int(np.count_nonzero(values == low)), int(np.count_nonzero(values == high))
    if low < high and lowest + highest == values.size:
        return {low.item(): lowest, high.item(): highest}
    if values.dtype.kind in "iu" and int(high) - int(low) < 1 << 20:
        counts = np.bincount((values - low).ravel())
        return {int(value) + int(low): int(counts[value]) for value in np.flatnonzero(counts)}
    present, counts = np.unique(values, return_counts=True)
    return dict(zip(present.tolist(), counts.tolist(), strict=True))


def read_values(path: Path, max_pixels: int | None = MAX_PIXELS) -> MaskValues:
    """The values of a mask file.

    A mask may lie in the alpha channel: that is taken where all that is visible has one colour, or is a photograph.

    Raises:
        SampleError: the file cannot be read, or colours and alpha channel say different things.
    """
    try:
        stored = open_picture(path, max_pixels=max_pixels)
    except (ImageError, OSError) as error:
        raise SampleError(Issue("unreadable-mask", str(path), without_path(error, path))) from error
    image = stored.image
    if stored.others:
        detail = f"it holds {stored.others + 1} pictures of {image.width} x {image.height}: keep one mask a file"
        raise SampleError(Issue("unreadable-mask", str(path), detail))
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        return _with_alpha(stored, path)
    return _without_alpha(stored, path)


def _without_alpha(stored: StoredPicture, path: Path) -> MaskValues:
    image = stored.image
    if image.mode == "1":
        values = np.asarray(image).astype(np.uint8)
        return MaskValues(values, values, 1)
    if image.mode == "L":
        return _grey(np.asarray(image), stored)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep(stored, path)
    if image.mode == "P":
        return _palette(image, np.asarray(image))
    if stored.bits > 8:
        return _from_deep_colours(image, path)
    return _colours(image.convert("RGB"), stored.format)


def _grey(values: np.ndarray, stored: StoredPicture) -> MaskValues:
    full = min(255, 2**stored.bits - 1)
    values = values // (255 // full)  # Pillow spreads fewer bits than eight over 0 to 255
    return MaskValues(values, values, full, lossy=stored.format in LOSSY)


def _deep(stored: StoredPicture, path: Path) -> MaskValues:
    """16 and 32 bits and floats. Floats that are all whole numbers are taken for such."""
    values = np.asarray(stored.image)
    # 0 is background, whatever the file states.
    unknown = values == stored.stated.nodata if stored.stated.nodata else None
    if values.dtype.kind == "f":
        unknown = ~np.isfinite(values) if unknown is None else unknown | ~np.isfinite(values)
        if unknown.all():
            raise SampleError(Issue("unreadable-mask", str(path), "no pixel holds a finite number"))
        values = np.where(unknown, 0, values)
        if (values == np.rint(values)).all() and np.abs(values).max() <= FULL_32:
            values = values.astype(np.int64)
    full = 65535 if values.dtype.kind == "u" else None
    if stored.stated.white_is_zero:
        values, full = _inverted(values, full, path)
    unknown = unknown if unknown is not None and unknown.any() else None
    if unknown is not None:
        values = np.where(unknown, 0, values)
    return MaskValues(values, values if values.dtype.kind in "iu" else None, full, unknown)


def _inverted(values: np.ndarray, full: int | None, path: Path) -> tuple[np.ndarray, int | None]:
    """Values of a TIFF in which 0 is white, so that 0 is black again."""
    if full is None:
        highest = float(values.max())
        full = next((top for top in (1, 255, 65535) if highest <= top), None)
        if full is None or values.min() < 0:
            raise SampleError(Issue("unreadable-mask", str(path), f"0 is white in it, and what {highest:g} is cannot be known"))
    return full - values.astype(np.float64 if values.dtype.kind == "f" else np.int64), full


def _palette(image: Image.Image, index: np.ndarray) -> MaskValues:
    """Grey palettes hold brightness, colours stand for labels; black is nothing, whatever its index."""
    colours = np.zeros((256, 3), dtype=np.uint8)
    table = np.array(image.getpalette() or [], dtype=np.uint8).reshape(-1, 3)
    colours[: len(table)] = table
    used = colours[[int(value) for value in counts_of(index)]]
    if (used == used[:, :1]).all():
        return MaskValues(colours[:, 0][index], index, 255)
    if len(used) == 2 and not used.all(axis=0).any() and (used == 0).all(axis=1).any():
        black = (colours == 0).all(axis=1)
        return MaskValues(np.where(black[index], 0, 255).astype(np.uint8), index, 255)
    return MaskValues(np.asarray(image.convert("L")), index, 255, coloured=True)


def _colours(image: Image.Image, file_format: str) -> MaskValues:
    """True colours: grey ones are brightness, black and one other are nothing and the object, others stand for labels."""
    lossy = file_format in LOSSY
    few = None if lossy else image.getcolors(4096)
    if few is None:
        values = np.asarray(image.convert("L"))
        return MaskValues(values, None if lossy else _numbers(image), 255, lossy=lossy)
    colours = np.array([colour for _, colour in few])
    if (np.ptp(colours, axis=1) <= (GREYISH if file_format in LOSSY_OR_NOT else 0)).all():
        values = np.asarray(image.convert("L"))
        return MaskValues(values, values, 255)
    labels = _numbers(image)
    if len(colours) <= 2 and not colours.any(axis=1).all():
        return MaskValues((labels > 0).astype(np.uint8) * 255, labels, 255)
    return MaskValues(np.asarray(image.convert("L")), labels, 255, coloured=True)


def _numbers(image: Image.Image) -> np.ndarray:
    colours = np.asarray(image).astype(np.int32)
    return colours @ np.array([1, 256, 65536], dtype=np.int32)


def _from_deep_colours(image: Image.Image, path: Path) -> MaskValues:
    """Of 16-bit colours Pillow keeps the upper eight bits: enough for black and white, not for labels."""
    values = np.asarray(image.convert("L"))
    if values.max() < 255:
        detail = "16-bit colours, of which 8 bits would be left: save it as a grey picture of 16 bits"
        raise SampleError(Issue("unreadable-mask", str(path), detail))
    return MaskValues(values, None, 255)


def _with_alpha(stored: StoredPicture, path: Path) -> MaskValues:
    image = stored.image
    colours = _without_alpha(replace(stored, image=_opaque(image)), path)
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    if alpha.min() == alpha.max():  # a constant channel carries no information
        return colours
    numbers = colours.separated
    visible, coloured = alpha > 0, numbers != 0
    shown = counts_of(numbers[visible])
    one_colour = len(shown) == 1 and (0 not in shown or not coloured.any())
    cut_out = len(shown) > LABELS_OF_CUT_OUT and flat_share(numbers, visible) < FLAT
    if one_colour or cut_out:
        varied = colours.labels is not None and colours.labels.min() < colours.labels.max()
        return MaskValues(alpha, colours.labels if varied else alpha, 255, from_alpha=True)
    if (coloured & ~visible).any():
        detail = "its colours and its alpha channel say different things: save the one that is the mask as a grey picture"
        raise SampleError(Issue("unreadable-mask", str(path), detail))
    return colours


def _opaque(image: Image.Image) -> Image.Image:
    """The colours alone, in the mode that they have without transparency."""
    premultiplied = {"La": "LA", "RGBa": "RGBA"}
    image = image.convert(premultiplied[image.mode]) if image.mode in premultiplied else image
    if image.mode in ("LA", "RGBA"):
        return image.convert(image.mode[:-1])
    if image.mode == "PA":
        return image.convert("RGB")
    image = image.copy()
    del image.info["transparency"]
    return image


def flat_share(values: np.ndarray, where: np.ndarray) -> float:
    """Share of the pixels `where` that lie in a square of 2 x 2 equal values: most of a labelled area, little of an edge."""
    places = np.flatnonzero(where)
    places = places[:: 1 + len(places) // HASHED_BYTES]
    rows, columns = np.divmod(places, values.shape[1])
    here, flat = values[rows, columns], np.zeros(len(places), dtype=bool)
    bottom, right = values.shape[0] - 1, values.shape[1] - 1
    for down, across in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        beside, below = np.clip(columns + across, 0, right), np.clip(rows + down, 0, bottom)
        same = (values[rows, beside] == here) & (values[below, columns] == here) & (values[below, beside] == here)
        flat |= same & (beside != columns) & (below != rows)
    return float(flat.mean()) if len(flat) else 0.0
