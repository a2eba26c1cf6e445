"""Sizes and coordinates of an image on its way into the model (native, resized, padded), and of masks on the way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from basam.families import Geometry

Coordinates = TypeVar("Coordinates", NDArray[np.float64], Tensor)


@dataclass(frozen=True)
class Frame:
    """Sizes of one image as (height, width): native, resized, and padded to a multiple or to a square."""

    original: tuple[int, int]
    resized: tuple[int, int]
    padded: tuple[int, int]

    @classmethod
    def of_model(cls, geometry: Geometry, height: int, width: int, long_side: int, square: bool = False) -> Frame:
        """`fit` as the model was trained: photos squashed to a square or padded to one, sides rounded or not."""
        squash, round_to = geometry.squashed, geometry.round_to
        return cls.fit(height, width, long_side, geometry.multiple, square, squash=squash, round_to=round_to)

    @classmethod
    def fit(
        cls,
        height: int,
        width: int,
        long_side: int,
        multiple: int,
        square: bool,
        *,
        squash: bool = False,
        round_to: int = 0,
    ) -> Frame:
        """The long side becomes `long_side` pixels, the other follows; both are padded to a multiple of `multiple`.

        With `square`, both sides are padded to the long one, or with `squash` resized to it: the geometries that SAM 1 and SAM
        2 were trained in. With `round_to`, both sides are resized to the nearest multiple of this many pixels, at least one.
        """
        scale = long_side / max(height, width)
        # Rounded as in SAM's own ResizeLongestSide.
        resized = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
        if round_to:
            up, across = (round_to * max(1, int(side / round_to + 0.5)) for side in resized)
            resized = up, across
        target = (max(resized), max(resized)) if square else resized
        if squash:
            resized = target
        up, across = (-(-side // multiple) * multiple for side in target)
        return cls((height, width), resized, (up, across))

    def points_in(self, coords: Coordinates) -> Coordinates:
        """Coordinates `(..., 2)` as x, y from pixels of the image to pixels of the resized frame."""
        scale = [self.resized[1] / self.original[1], self.resized[0] / self.original[0]]
        if isinstance(coords, Tensor):
            coords = floating(coords)
            return coords * torch.tensor(scale, dtype=coords.dtype, device=coords.device)
        return coords * np.array(scale)

    def boxes_in(self, boxes: Coordinates) -> Coordinates:
        """Boxes `(..., 4)` as x0, y0, x1, y1 from pixels of the image to pixels of the resized frame."""
        return self.points_in(boxes.reshape(*boxes.shape[:-1], 2, 2)).reshape(boxes.shape)

    def image_in(
        self, image: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...], device: torch.device | None = None
    ) -> Tensor:
        """RGB `(H, W, 3)` uint8 to normalised pixels `(1, 3, padded height, padded width)` float32; padding is 0.

        It is resized on the CPU and normalised on `device`, so only a quarter of the bytes is transferred.
        """
        if self.resized != self.original:
            size = (self.resized[1], self.resized[0])
            # Pillow copies non-contiguous arrays, such as a region of a photo, several times slower than NumPy does.
            image = np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.BILINEAR))
        pixels = moved(torch.from_numpy(np.array(image)), device or torch.device("cpu"))
        return self.normalised(pixels.permute(2, 0, 1)[None].float(), mean, std)

    def normalised(self, pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
        """Pixels `(1, 3, height, width)` from 0 to 255 of the resized image, normalised and padded with 0."""
        mean_of, std_of = (torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in (mean, std))
        pixels = (pixels / 255 - mean_of) / std_of
        (height, width), (up, across) = self.resized, self.padded
        return F.pad(pixels, (0, across - width, 0, up - height))

    def masks_out(self, low_res: Tensor) -> Tensor:
        """Mask logits `(K, M, h, w)` of the padded frame as logits of the image, `(K, M, H, W)`; bilinear."""
        masks = F.interpolate(low_res, self.padded, mode="bilinear", align_corners=False)
        masks = masks[..., : self.resized[0], : self.resized[1]]
        if self.resized != self.original:
            masks = F.interpolate(masks, self.original, mode="bilinear", align_corners=False)
        return masks


@dataclass(frozen=True)
class Transform:
    """The part of Meta's `ResizeLongestSide` for code that scales prompts itself. Takes arrays and tensors."""

    target_length: int  # long side of the resized image
    frame: Frame | None = None  # of the current image, whose axes may be scaled differently

    def apply_coords(self, coords: Coordinates, original_size: tuple[int, int]) -> Coordinates:
        """Points `(..., 2)`, from pixels of an image of (height, width) to pixels of the resized one."""
        return self.frame_of(original_size).points_in(coords)

    def apply_boxes(self, boxes: Coordinates, original_size: tuple[int, int]) -> Coordinates:
        """`apply_coords` for boxes `(..., 4)`."""
        return self.frame_of(original_size).boxes_in(boxes)

    def frame_of(self, original_size: tuple[int, int]) -> Frame:
        """The current image's frame, or that of any image of (height, width)."""
        if self.frame is not None and self.frame.original == tuple(original_size):
            return self.frame
        return Frame.fit(*original_size, self.target_length, 1, False)

    def apply_coords_torch(self, coords: Tensor, original_size: tuple[int, int]) -> Tensor:
        """`apply_coords` of a tensor; integer coordinates become float32, because scaled ones are rarely whole."""
        return self.apply_coords(floating(coords), original_size)

    def apply_boxes_torch(self, boxes: Tensor, original_size: tuple[int, int]) -> Tensor:
        """`apply_boxes` of a tensor, as `apply_coords_torch`."""
        return self.apply_boxes(floating(boxes), original_size)


def moved(pixels: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor on `device`. To a CUDA device it is copied on a separate stream, without waiting."""
    if device.type != "cuda":
        return pixels.to(device)
    copying, computing = copy_stream(device), torch.cuda.current_stream(device)
    with torch.cuda.stream(copying):
        there = pixels.pin_memory().to(device, non_blocking=True)
    computing.wait_stream(copying)
    there.record_stream(computing)
    return there


@cache
def copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def floating(coords: Tensor) -> Tensor:
    """Coordinates in a floating dtype: their own, or float32."""
    return coords if coords.is_floating_point() else coords.float()
