"""A photograph in memory: its pixels, its tiles, and what the model has encoded and answered of it."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves

from basam.files import read_image
from basam.predict import Predictor, Region
from basam.web.library import LibraryPhoto
from basam.web.prompts import PromptSet
from basam.web.tiles import TilePyramid


class OpenPhoto:
    """A photograph in memory, with its tiles, and predictors that hold what was encoded of it."""

    def __init__(self, photo: LibraryPhoto, max_pixels: int | None) -> None:
        photo.check_content()
        self.pixels = read_image(photo.path, max_pixels=max_pixels)
        self.tiles = TilePyramid(self.pixels)
        self.predictors: dict[str, Predictor] = {}
        self.steps: OrderedDict[PromptSet, tuple[NDArray[np.float32], Region | None]] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """What it takes in memory, embeddings included."""
        total = self.pixels.nbytes + self.tiles.nbytes
        for predictor in list(self.predictors.values()):
            image = predictor.image
            total += int(getattr(image.pixels, "nbytes", 0))
            leaves = [leaf for features in list(image.encoded.values()) for leaf in tree_leaves(features)]
            total += sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
        return total
