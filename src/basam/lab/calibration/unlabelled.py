"""Choose strength (and slope) without masks: attention of the global layers shall look as it does at the trained size.

For every photograph, size and global layer two things are compared between the attention at that size, reduced to the
trained grid, and the attention of plain SAM on the same photograph at the trained size (see `attention`): the entropy,
as a mean over heads and queries, and the total variation, row by row. The distance to bring down is

    mean over layers of (total variation + |difference of entropies| / ln(number of keys))

where both parts lie between 0 and 1; its negative is the score, `closeness`. Which candidate is picked is said in `choice`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from basam.checks import Count, Whole, checked
from basam.errors import InputError
from basam.families import Geometry
from basam.files import MAX_PIXELS, ImageError, read_photograph
from basam.lab.calibration.attention import entropy, total_variation
from basam.lab.calibration.capture import Places, recording
from basam.lab.calibration.choice import Candidate, canonical, choose
from basam.method import BiasMode
from basam.predict import Frame, Predictor

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
SLOPES = (0.0, 0.1)  # the factor alone, and with the mask
QUERIES = 64


@dataclass(frozen=True)
class LayerStatistics:
    """Of one layer, photograph, mode and size: entropy in nats here and at the trained size, and total variation."""

    entropy: float
    trained_entropy: float
    total_variation: float
    keys: int  # of the trained grid

    @property
    def distance(self) -> float:
        return self.total_variation + abs(self.entropy - self.trained_entropy) / math.log(self.keys)


@dataclass
class UnlabelledCalibration:
    """What the measurement found.

    statistics: by mode, one entry per photograph: `[size][layer]`. layers: numbers of the global layers. unreadable: path
    and reason of photographs that were left out. notes: on those
    that were read.
    """

    candidates: list[Candidate]
    chosen: Candidate
    statistics: dict[BiasMode, list[list[list[LayerStatistics]]]]
    layers: tuple[int, ...]
    sizes: tuple[int, ...]
    photos: list[str]
    unreadable: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def plain(self) -> Candidate:
        return self.candidates[0]


def modes_to_try(strengths: Sequence[float] = STRENGTHS, slopes: Sequence[float] = SLOPES) -> list[BiasMode]:
    """Plain SAM, and every strength with every slope."""
    modes = [BiasMode(scaling="log", strength=strength, slope=slope) for slope in slopes for strength in strengths]
    return list(dict.fromkeys([BiasMode.off(), *map(canonical, modes)]))


@checked
def calibrate_unlabelled(
    predictor: Predictor,
    photos: Sequence[Path],
    sizes: Sequence[Count],
    *,
    modes: Sequence[BiasMode] | None = None,
    count: Count = 16,
    queries: Count = QUERIES,
    seed: Whole = 0,
    max_pixels: Count | None = MAX_PIXELS,
    progress: Callable[[int, int], None] | None = None,
) -> UnlabelledCalibration:
    """Pick the mode with which attention on `photos` is closest to that at the trained size.

    Args:
        predictor: on the model to calibrate; its mode is changed meanwhile and is the chosen one in the end.
        photos: paths; `count` of them at most are used, drawn by `seed`.
        sizes: long sides in pixels to calibrate for; they count alike.
        modes: plain SAM first; None: `modes_to_try()`.
        queries: places per photograph, drawn by `seed` and evenly over its area.
        max_pixels: photographs of more are left out. None: none is.
        progress: called with the photographs done and those in all.

    Raises:
        UnsupportedModelError: the model attends in windows only.
        ValueError: no size, or fewer than two photographs that can be read.
    """
    if not sizes:
        raise InputError("sizes is empty: give at least one long side in pixels")
    modes = modes_to_try() if modes is None else list(modes)
    generator = np.random.default_rng(seed)
    if len(photos) > count:
        photos = [photos[index] for index in sorted(generator.choice(len(photos), size=count, replace=False))]
    table: dict[BiasMode, list[list[list[LayerStatistics]]]] = {mode: [] for mode in modes}
    used, unreadable, notes = [], [], []
    for done, photo in enumerate(photos, start=1):
        try:
            read = read_photograph(photo, max_pixels=max_pixels)
        except (ImageError, OSError) as error:
            unreadable.append(str(error))
        else:
            for mode, statistic in measure_photo(predictor, read.pixels, modes, sizes, queries, generator).items():
                table[mode].append(statistic)
            notes += [f"{photo}: {note}" for note in read.notes]
            used.append(str(photo))
        if progress is not None:
            progress(done, len(photos))
    if len(used) < 2:
        reasons = "".join(f"; {reason}" for reason in unreadable[:3])
        raise InputError(f"{len(used)} photographs could be read, at least 2 are needed to choose anything{reasons}")
    candidates = [Candidate(mode, tuple(scores(photo) for photo in table[mode])) for mode in modes]
    chosen = choose(candidates)
    predictor.mode = chosen.mode
    layers = predictor.attachment.geometry.global_layers
    return UnlabelledCalibration(candidates, chosen, table, layers, tuple(sizes), used, unreadable, notes)


def scores(photo: Sequence[Sequence[LayerStatistics]]) -> tuple[float, ...]:
    """Of one photograph, a number per size: less the distance, so that higher is better."""
    return tuple(-statistics.fmean(layer.distance for layer in layers) for layers in photo)


def measure_photo(
    predictor: Predictor,
    image: np.ndarray,
    modes: Sequence[BiasMode],
    sizes: Sequence[int],
    queries: int,
    generator: np.random.Generator,
) -> dict[BiasMode, list[list[LayerStatistics]]]:
    """Statistics of one photograph by mode, `[size][layer]`."""
    geometry = predictor.attachment.geometry
    trained = geometry.image_size
    at_trained = pixels_at(geometry, image, trained)
    height, width = (side / geometry.patch for side in at_trained)  # in trained patches
    grid = math.ceil(round(height, 6)), math.ceil(round(width, 6))
    places = Places(torch.from_numpy(generator.uniform(size=(queries, 2)) * [height, width]), grid)

    def attention(mode: BiasMode, size: int) -> list[Tensor]:
        predictor.mode = mode
        at_size = pixels_at(geometry, image, size)
        with recording(predictor.model, places, (at_size[0] / at_trained[0], at_size[1] / at_trained[1])) as layers:
            predictor.set_image(image, long_side=size)
            predictor.encode([predictor.image.whole])
        return layers

    reference = attention(BiasMode.off(), trained)
    return {
        mode: [[compare(*pair) for pair in zip(attention(mode, size), reference, strict=True)] for size in sizes]
        for mode in modes
    }


def pixels_at(geometry: Geometry, image: np.ndarray, long_side: int) -> tuple[float, float]:
    """Height and width that an image has with this long side; not rounded, unless the model wants whole windows."""
    height, width = image.shape[:2]
    if geometry.round_to:
        rounded = Frame.of_model(geometry, height, width, long_side).resized
        return float(rounded[0]), float(rounded[1])
    return height * long_side / max(height, width), width * long_side / max(height, width)


def compare(attention: Tensor, trained: Tensor) -> LayerStatistics:
    """Two attentions `(heads, Q, h, w)` over the trained grid."""
    return LayerStatistics(
        entropy=float(entropy(attention).mean()),
        trained_entropy=float(entropy(trained).mean()),
        total_variation=float(total_variation(attention, trained).mean()),
        keys=trained.shape[-2] * trained.shape[-1],
    )
