"""Outlines of masks: simplified, valid and within the tolerance, whatever the mask."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from basam.masks import RunMask, outlines_of


def disc(radius, side=200, middle=(100.3, 99.6)):
    y, x = np.mgrid[:side, :side] + 0.5
    return np.hypot(x - middle[0], y - middle[1]) < radius


def pixels_of(polygons, shape):
    height, width = shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return shapely.contains_xy(shapely.MultiPolygon(polygons), x, y)


def points_in(polygons):
    return int(shapely.get_num_coordinates(shapely.MultiPolygon(polygons)))


def farthest(exact, simple):
    """How far the mask's edge lies from the outline at most, along the edge and not only in its corners."""
    edge = shapely.segmentize(shapely.MultiPolygon(exact).boundary, 0.25)
    points = shapely.points(shapely.get_coordinates(edge))
    return shapely.distance(points, shapely.MultiPolygon(simple).boundary).max()


def check(mask, tolerance):
    runs = RunMask.of(mask)
    exact, simple = outlines_of(runs, 0), outlines_of(runs, tolerance)
    assert np.array_equal(pixels_of(exact, mask.shape), mask)
    whole = shapely.MultiPolygon(simple)
    assert whole.is_valid
    assert len(simple) == len(exact)
    assert sum(len(part.interiors) for part in simple) == sum(len(part.interiors) for part in exact)
    assert farthest(exact, simple) <= tolerance * (1 + 1e-9)
    return points_in(exact), points_in(simple)


@pytest.mark.parametrize("radius", [7.2, 11, 18.5, 25, 40.3, 63, 90])
@pytest.mark.parametrize("tolerance", [0.7, 1.0, 2.0])
def test_a_coin_keeps_no_staircase(radius, tolerance):
    exact, simple = check(disc(radius), tolerance)
    assert simple < exact / (1.6 if tolerance < 1 else 2.5)


def test_rings_slopes_and_coins_of_one_mask():
    mask = disc(80) & ~disc(60)
    mask |= np.triu(np.ones((200, 200), dtype=bool), 120) | disc(9, middle=(20, 180)) | disc(15, middle=(100, 100))
    exact, simple = check(mask, 1.0)
    assert simple < exact / 2.5


def test_a_jagged_mask_keeps_no_staircase_where_it_is_smooth():
    noise = np.random.default_rng(0).random((200, 200))
    mask = disc(80) | (disc(95) & (noise > 0.45))
    exact, simple = check(mask, 1.0)
    assert simple < exact / 1.3
    smooth = disc(80) & ~disc(77)
    assert points_in(outlines_of(RunMask.of(mask & (disc(86) | (noise > 2)) | smooth), 1.0)) < exact


def test_coins_side_by_side_do_not_cross():
    mask = np.zeros((200, 200), dtype=bool)
    for x in range(10, 200, 22):
        for y in range(10, 200, 22):
            mask |= disc(10.4, middle=(x, y))
    exact, simple = check(mask, 3.0)
    assert simple < exact / 2


def test_a_crumb_and_a_line_stay():
    mask = np.zeros((40, 40), dtype=bool)
    mask[5, 5] = mask[6, 6] = mask[20, 3:37] = mask[30:32, 30:32] = True
    check(mask, 1.0)
    check(mask, 5.0)


@given(st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(lambda shape: arrays(np.bool_, shape)), st.floats(0, 4))
@settings(max_examples=150, deadline=None)
def test_any_mask(mask, tolerance):
    if mask.any():
        check(mask, tolerance)


def test_no_mask_has_no_outline():
    assert outlines_of(RunMask.of(np.zeros((3, 4), dtype=bool)), 1.0) == []
