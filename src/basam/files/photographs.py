"""Read photographs of any common kind as RGB, and write masks and overlays without ever leaving half a file."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from basam.errors import BasamError, InputError, MissingFileError
from basam.files.writing import replacing


class TensorLike(Protocol):
    """A tensor of any library that can be copied to an array, such as PyTorch's."""

    def detach(self) -> Any: ...


ImageLike = Union[str, "os.PathLike[str]", Image.Image, NDArray[Any], TensorLike]


class ImageError(BasamError, ValueError):
    """A photograph that cannot be read; the message names its path and what is wrong."""


def read_image(image: ImageLike) -> NDArray[np.uint8]:
    """An image as RGB, `(H, W, 3)` uint8, upright.

    Paths and PIL images: EXIF orientation is applied, palette, grey and CMYK are converted, 16-bit and float images are
    scaled to 8 bits (`grey_to_rgb`), alpha is laid over white. Arrays and tensors: see `array_to_rgb`.

    Raises:
        ImageError: not an image, truncated, empty or a decompression bomb; the message names the path.
        ValueError: an array or tensor of another shape, dtype or range.
        FileNotFoundError: no such file.
    """
    if isinstance(image, np.ndarray):
        return array_to_rgb(image)
    if hasattr(image, "detach"):
        return array_to_rgb(np.asarray(image.detach().cpu()), "tensor")
    if isinstance(image, Image.Image):
        return to_rgb(image)
    if not isinstance(image, (str, os.PathLike)):
        raise InputError(f"image is a {type(image).__name__}: a path, a PIL image, an array or a tensor is needed")
    path = Path(image)
    if not path.exists():
        raise MissingFileError(f"{path}: no such file")
    if path.is_dir():
        raise ImageError(f"{path} is a folder, not an image")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            # Pillow warns at half the size that it refuses.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # Through a stream: of a path, Pillow maps uncompressed TIFF into memory, and turned ones come out scrambled.
            with path.open("rb") as stream, Image.open(stream) as file:
                return to_rgb(file)
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is not an image, or of a format that Pillow does not read") from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path} is refused as a decompression bomb: {error}. If it is sound, raise PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{path} cannot be decoded, it may be truncated: {error}") from error


def array_to_rgb(array: NDArray[Any], name: str = "array") -> NDArray[np.uint8]:
    """RGB `(H, W, 3)` uint8 of an array or tensor.

    Args:
        array: `(H, W)` grey, or `(H, W, C)` or `(C, H, W)` with C = 1 (grey), 3 (RGB) or 4 (RGBA, laid over white); uint8, or
            floats from 0 to 1. `(H, W, 3)` uint8 is returned as it is; where both orders are possible, C is last.
        name: what it is called in messages.

    Raises:
        ValueError: another shape or dtype, no pixels, or floats outside 0 to 1.
    """
    shape = array.shape
    if array.ndim == 3 and shape[2] not in (1, 3, 4) and shape[0] in (1, 3, 4):
        array = np.moveaxis(array, 0, 2)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(f"image {name} of shape {shape}: (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or (3, H, W) is needed")
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
    """Upright 8-bit RGB of a PIL image of any mode."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return grey_to_rgb(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))


def grey_to_rgb(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Deep grey values as 8-bit RGB.

    Whole numbers from 0 to 65535 are scaled by the depth in use, the smallest of 8, 10, 12, 14 and 16 bits that holds them
    (cameras and microscopes store 12 bits in 16); floats from 0 to 1 by 255; all others by their own range.
    """
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        low, high = 0.0, next(2.0**bits - 1 for bits in (8, 10, 12, 14, 16) if high < 2**bits)
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scaled = np.nan_to_num((values.astype(np.float64) - low) / max(high - low, 1e-12)) * 255
    grey = np.clip(np.round(scaled), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """A mask `(H, W)` as an 8-bit grey PNG of 0 and 255."""
    with replacing(path) as temporary:
        Image.fromarray(mask.astype(np.uint8) * 255).save(temporary, "PNG")


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """An RGB image, in the format of its suffix (JPEG at quality 90)."""
    options: dict[str, Any] = {"quality": 90} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary, **options)
