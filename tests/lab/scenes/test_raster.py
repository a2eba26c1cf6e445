"""Coverage of polygons against what geometry says."""

from __future__ import annotations

import numpy as np
import pytest

from basam.lab.scenes.raster import Window, coverage
from basam.lab.scenes.shapes import bar, ellipse, polygon, rectangle, ring, tube


def test_a_rectangle_off_the_grid_covers_shares_of_pixels() -> None:
    alpha, window = coverage([rectangle(0.125, 0.25, 0.6875, 0.75)], 8)
    assert window == Window(2, 1, 7, 6)
    assert np.allclose(alpha[:4], [[1, 1, 1, 1, 0.5]] * 4)
    assert not alpha[4:].any()


@pytest.mark.parametrize("size", [16, 100, 512])
def test_areas_are_right_at_every_size(size: int) -> None:
    circle = coverage([ellipse(0.5, 0.5, 0.3, points=256)], size)[0].sum() / size**2
    assert circle == pytest.approx(np.pi * 0.09, rel=0.004)
    hoop = coverage(ring(0.5, 0.5, 0.4, 0.1, points=256), size)[0].sum() / size**2
    assert hoop == pytest.approx(np.pi * (0.16 - 0.09), rel=0.006)


def test_overlapping_loops_are_a_union() -> None:
    cross = [bar((0.1, 0.5), (0.9, 0.5), 0.25), bar((0.5, 0.1), (0.5, 0.9), 0.25), bar((0.5, 0.1), (0.5, 0.9), 0.25)]
    alpha, _ = coverage(cross, 64, Window(0, 0, 64, 64))
    assert alpha.max() == 1
    assert alpha.sum() / 64**2 == pytest.approx(2 * 0.8 * 0.25 - 0.25**2, rel=0.01)


def test_a_spoke_crosses_a_hole_without_filling_it() -> None:
    alpha, _ = coverage([*ring(0.5, 0.5, 0.4, 0.1), bar((0.1, 0.5), (0.9, 0.5), 0.05)], 128, Window(0, 0, 128, 128))
    assert alpha[64, 64] == 1
    assert alpha[44, 64] == 0
    assert alpha[20, 64] == 1


def test_loops_beyond_the_picture_are_clipped() -> None:
    alpha, window = coverage([rectangle(-1, -1, 0.5, 2)], 16)
    assert window == Window(0, 0, 16, 9)
    assert np.array_equal(alpha, np.tile([1.0] * 8 + [0.0], (16, 1)))
    assert coverage([rectangle(1.2, 0, 1.5, 1)], 16)[0].size == 0


def test_a_window_shows_a_part_of_the_whole() -> None:
    star = [polygon((0.1, 0.2), (0.9, 0.3), (0.3, 0.95)), *tube(np.array([(0.2, 0.1), (0.6, 0.5), (0.8, 0.95)]), 0.07)]
    whole, _ = coverage(star, 90, Window(0, 0, 90, 90))
    part, _ = coverage(star, 90, Window(20, 31, 70, 64))
    assert np.array_equal(part, whole[20:70, 31:64])
