"""Read photographs of any common kind as RGB; write masks and overlays without ever leaving a partial file."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basam.arrays import check_image, check_mask
from basam.checks import path_of
from basam.errors import InputError, warn
from basam.files.limits import MAX_PIXELS
from basam.files.modes import in_rgb
from basam.files.notes import PhotoNote
from basam.files.pictures import named_errors, open_picture
from basam.files.stored import StoredPicture
from basam.files.tiff import of_pillow
from basam.files.writing import replacing, write_bytes


class TensorLike(Protocol):
    """A tensor of any library that can be copied to an array, such as PyTorch's."""

    def detach(self) -> Any: ...


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph read from a file.

    Attributes:
        image: upright, in mode `RGB`.
        size: width and height in the file, upright; `image` is smaller if it was read reduced.
        notes: decisions made while reading; none for an ordinary photograph.
    """

    image: Image.Image
    size: tuple[int, int]
    notes: tuple[PhotoNote, ...] = ()

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """`(H, W, 3)`."""
        return np.asarray(self.image)

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels."""
        return 3 * self.image.width * self.image.height


ImageLike = str | os.PathLike[str] | Photograph | Image.Image | NDArray[Any] | TensorLike


def read_photograph(
    path: str | os.PathLike[str], *, max_pixels: int | None = MAX_PIXELS, long_side: int | None = None
) -> Photograph:
    """A photograph of any kind that `docs/images.md` lists; arguments and errors as of `open_picture`."""
    stored = open_picture(path, max_pixels=max_pixels, long_side=long_side)
    with named_errors(path_of(path)):
        return photograph(stored)


def photograph(stored: StoredPicture) -> Photograph:
    """A stored picture in RGB."""
    image, notes = in_rgb(stored.image, stored.stated)
    return Photograph(image, stored.size, (*stored.notes, *notes))


def read_image(image: ImageLike, *, max_pixels: int | None = MAX_PIXELS) -> NDArray[np.uint8]:
    """An image as RGB, `(H, W, 3)` uint8, upright.

    Paths and PIL images: EXIF orientation is applied, palette, grey, CMYK and Lab are converted, deeper samples are scaled to
    8 bits (`samples`), alpha is laid over white; open decisions are warned of. Arrays and tensors: see `array_to_rgb`.

    Args:
        max_pixels: files with more raise. None: no limit.

    Raises:
        ImageError: not an image, truncated, empty or above `max_pixels`; the message names the path.
        ValueError: an array or tensor of another shape, dtype or range.
        FileNotFoundError: no such file.
    """
    return pixels_of(image, max_pixels=max_pixels)[0]


def pixels_of(
    image: ImageLike, *, max_pixels: int | None = MAX_PIXELS, long_side: int | None = None
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """`read_image`, and the height and width of the whole image. A file may be read smaller if `long_side` pixels are enough
    (see `open_picture`)."""
    if isinstance(image, (str, os.PathLike)):
        path, image = os.fspath(image), read_photograph(image, max_pixels=max_pixels, long_side=long_side)
        for note in image.notes:
            warn(f"{path}: {note}")
    if isinstance(image, Photograph):
        return image.pixels, image.size[::-1]
    if isinstance(image, np.ndarray):
        pixels = array_to_rgb(image)
    elif isinstance(image, Image.Image):
        pixels = to_rgb(image)
    elif hasattr(image, "detach"):
        pixels = array_to_rgb(array_of_tensor(image), "tensor")
    else:
        raise InputError(f"image is a {type(image).__name__}: a path, a PIL image, an array or a tensor is needed")
    return pixels, pixels.shape[:2]


def array_of_tensor(tensor: Any) -> NDArray[Any]:
    """A tensor of any device as an array; floats that numpy does not have, such as bfloat16, as float32."""
    try:
        copied = tensor.detach().cpu()
        return np.asarray(copied.float() if copied.is_floating_point() else copied)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"image tensor of {getattr(tensor, 'dtype', 'unknown type')} cannot be copied: {error}") from error


def array_to_rgb(array: NDArray[Any], name: str = "array") -> NDArray[np.uint8]:
    """RGB `(H, W, 3)` uint8 of an array or tensor.

    Args:
        array: `(H, W)` grey, or `(H, W, C)` or `(C, H, W)` with C = 1 (grey), 3 (RGB) or 4 (RGBA, laid over white); uint8, or
            floats from 0 to 1. `(H, W, 3)` uint8 is returned as it is; where both orders are possible, C is last.
        name: how messages call it.

    Raises:
        ValueError: another shape or dtype, no pixels, or floats outside 0 to 1.
    """
    shape = array.shape
    if array.ndim == 3 and shape[2] not in (1, 3, 4) and shape[0] in (1, 3, 4):
        array = np.moveaxis(array, 0, 2)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(
            f"image {name} of shape {shape}: (H, W), (H, W, C) or (C, H, W) with C = 1, 3 or 4 is needed, one image at a time"
        )
    if 0 in shape:
        raise InputError(f"image {name} of shape {shape} has no pixels")
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # also NaN
            low, high = array.min(), array.max()
            raise InputError(
                f"image {name} of {array.dtype} from {low:g} to {high:g}: floats must lie in 0 to 1; or give uint8"
            )
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise InputError(f"image {name} of dtype {array.dtype}: uint8, or floats from 0 to 1, are needed")
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return array if array.shape[2] == 3 else to_rgb(Image.fromarray(np.ascontiguousarray(array), "RGBA"))


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Upright 8-bit RGB of a PIL image of any mode; decisions that the image leaves open are warned of.

    Raises:
        ImageError: no pixel of it holds data.
    """
    if image.mode == "RGB" and not image.getexif() and not image.has_transparency_data:
        return np.asarray(image)
    with named_errors(Path(getattr(image, "filename", "") or "the image")):
        photo = photograph(of_pillow(image))
    for note in photo.notes:
        warn(f"image: {note}")
    return photo.pixels


def write_mask(path: str | os.PathLike[str], mask: NDArray[np.bool_]) -> None:
    """A mask `(H, W)` as an 8-bit grey PNG of 0 and 255."""
    check_mask(mask)
    with replacing(path) as temporary:
        Image.fromarray(mask.astype(np.uint8) * 255).save(temporary, "PNG")


def write_image(path: str | os.PathLike[str], image: NDArray[np.uint8]) -> None:
    """An RGB image, in the format of its suffix (JPEG at quality 90).

    Raises:
        ValueError: an unknown suffix.
    """
    check_image(image)
    path = path_of(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise InputError(f"{path}: needs the suffix of an image format, such as .png or .jpg")
    options: dict[str, Any] = {"quality": 90} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    kind = Image.registered_extensions()[path.suffix.lower()]
    # For some formats Pillow lets the system write, and does not notice that a full disk took only a part.
    write_bytes(path, encoded(Image.fromarray(image), kind, **options))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of an image file; kind and options as Pillow names them."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
