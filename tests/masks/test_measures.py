"""Figures of masks are those of scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import ellipse
from skimage.measure import regionprops_table

from basam.masks import RunMask, measured

SIZE = (90, 120)
PIXELS = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
NAMES = ("area", "bbox", "centroid", "perimeter", "equivalent_diameter_area", "eccentricity", "intensity_mean")


def drawn(*places) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[places] = True
    return mask


MASKS = {
    "tilted": drawn(*ellipse(40, 60, 12, 38, shape=SIZE, rotation=0.6)),
    "scattered": np.random.default_rng(1).random(SIZE) > 0.7,
    "pixel": drawn(7, 9),
    "line": drawn(3, slice(10, 50)),
    "diagonal": drawn(np.arange(30), np.arange(30)),
    "square": drawn(slice(5, 15), slice(20, 30)),
    "all": np.ones(SIZE, dtype=bool),
}


@pytest.mark.parametrize("name", MASKS)
def test_figures_are_those_of_regionprops_table(name):
    mask = MASKS[name]
    table = regionprops_table(mask.astype(np.uint8), PIXELS, properties=NAMES)
    expected = {column: float(values[0]) for column, values in table.items()}
    figures = measured(RunMask.of(mask), PIXELS)
    assert figures["area"] == expected["area"]
    assert figures["box"] == [expected[f"bbox-{index}"] for index in (1, 0, 3, 2)]
    assert figures["centroid"] == pytest.approx([expected["centroid-1"], expected["centroid-0"]], abs=1e-3)
    assert figures["intensity_mean"] == pytest.approx([expected[f"intensity_mean-{index}"] for index in range(3)], abs=1e-3)
    for column in ("perimeter", "equivalent_diameter_area", "eccentricity"):
        assert figures[column] == pytest.approx(expected[column], abs=1e-3), column


def test_an_empty_mask_has_no_figures_of_its_pixels():
    figures = measured(RunMask.of(np.zeros(SIZE, dtype=bool)), PIXELS)
    assert figures["area"] == figures["equivalent_diameter_area"] == 0
    assert figures["centroid"] is figures["eccentricity"] is figures["intensity_mean"] is None


def test_the_mean_colour_of_a_photo_read_smaller():
    small = np.zeros((45, 60, 3), dtype=np.uint8)
    small[10:20, 10:30] = 200, 100, 50
    mask = drawn(slice(20, 40), slice(20, 60))
    assert measured(RunMask.of(mask), small)["intensity_mean"] == [200, 100, 50]
