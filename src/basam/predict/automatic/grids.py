"""Points and crops of a photo, placed as in Meta's `segment_anything.utils.amg`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.errors import InputError


@dataclass(frozen=True)
class Crop:
    """A rectangle of the photo: edges in pixels, x1 and y1 exclusive; layer 0 is the whole photo."""

    x0: int
    y0: int
    x1: int
    y1: int
    layer: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def area(self) -> int:
        height, width = self.size
        return height * width

    def near_edge(self, box: NDArray[np.float64], height: int, width: int, within: float = 20.0) -> bool:
        """Whether a box in pixels of the photo of height x width px ends at an edge of the crop that is not the photo's."""
        own = np.abs(box - (self.x0, self.y0, self.x1, self.y1)) <= within
        photo = np.abs(box - (0, 0, width, height)) <= within
        return bool((own & ~photo).any())


def crops_of(height: int, width: int, layers: int, overlap_ratio: float) -> list[Crop]:
    """The whole photo, and in layer i = 1, 2, ... 2**i x 2**i crops.

    Args:
        overlap_ratio: of neighbours in layer 1, as a share of the photo's short side; half of it in layer 2, and so on.
    """
    crops = [Crop(0, 0, width, height)]
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_ratio * min(height, width) * (2 / count))
        across, down = (math.ceil((overlap * (count - 1) + length) / count) for length in (width, height))
        for column, row in product(range(count), range(count)):
            x0, y0 = (across - overlap) * column, (down - overlap) * row
            if x0 < width and y0 < height:
                crops.append(Crop(x0, y0, min(x0 + across, width), min(y0 + down, height), layer))
    return crops


def grid_of(columns: int, rows: int) -> NDArray[np.float64]:
    """Points `(rows * columns, 2)` as x, y in shares of the photo, at the centres of equal cells, row by row."""
    x, y = ((np.arange(count) + 0.5) / count for count in (columns, rows))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def checked_grids(grids: Sequence[Any], layers: int) -> list[NDArray[np.float64]]:
    """Points per layer of crops, `(P, 2)` as x, y in shares of the crop.

    Raises:
        ValueError: fewer than there are layers, another shape, or a point outside 0 to 1.
    """
    try:
        arrays = [np.asarray(grid, dtype=np.float64) for grid in grids]
    except (TypeError, ValueError) as error:
        raise InputError(f"point_grids: numbers are needed, (P, 2) from 0 to 1 of the crop: {error}") from error
    if len(arrays) <= layers:
        raise InputError(f"point_grids: {len(arrays)} for the photo and {layers} layers of crops: give one per layer")
    for grid in arrays:
        if grid.ndim != 2 or grid.shape[1] != 2 or not (grid >= 0).all() or not (grid <= 1).all():
            raise InputError(f"point_grids: one of shape {grid.shape}; (P, 2) is needed, from 0 to 1 of the crop")
    return arrays
