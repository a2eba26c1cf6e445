"""Masks put into a larger image and made one, beside plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from basam.masks import RunMask, area_within, part_of, placed, united

SIDES = st.integers(1, 8)


def same(runs, mask):
    assert np.array_equal(runs.mask(), mask)
    assert np.array_equal(runs.counts, RunMask.of(mask).counts)


@given(SIDES, SIDES, SIDES, SIDES, st.data())
@settings(max_examples=200)
def test_a_mask_lies_where_it_was_put(height, width, below, beside, data):
    mask = data.draw(arrays(np.bool_, (height, width)))
    top, left = data.draw(st.integers(0, below)), data.draw(st.integers(0, beside))
    whole = np.zeros((height + below, width + beside), dtype=bool)
    whole[top : top + height, left : left + width] = mask
    same(placed(RunMask.of(mask), top, left, *whole.shape), whole)


@given(SIDES, SIDES, st.data())
@settings(max_examples=200)
def test_masks_are_made_one(height, width, data):
    masks = data.draw(st.lists(arrays(np.bool_, (height, width)), min_size=1, max_size=4))
    same(united([RunMask.of(mask) for mask in masks]), np.any(masks, axis=0))


@given(SIDES, SIDES, st.data())
@settings(max_examples=200)
def test_a_rectangle_of_a_mask(height, width, data):
    mask = data.draw(arrays(np.bool_, (height, width)))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    part = part_of(RunMask.of(mask), x0, y0, x1, y1)
    assert np.array_equal(part, mask[y0:y1, x0:x1])
    assert area_within(RunMask.of(mask), x0, y0, x1, y1) == part.sum()


def test_an_image_of_more_pixels_than_32_bits_count():
    square = RunMask.of(np.ones((3, 2), dtype=bool))
    far = placed(square, 99_990, 99_995, 100_000, 100_000)
    assert (far.area, far.box) == (6, (99_995, 99_990, 99_997, 99_993))
    assert part_of(far, 99_994, 99_991, 99_998, 99_999).sum() == 4


def test_what_does_not_fit_is_refused():
    small = RunMask.of(np.ones((3, 3), dtype=bool))
    with pytest.raises(ValueError, match="part of 3 x 3 px at row 5, column 0"):
        placed(small, 5, 0, 6, 9)
    with pytest.raises(ValueError, match="at row -1"):
        placed(small, -1, 0, 6, 9)
    with pytest.raises(ValueError, match="at least one: these are 3 x 3 px, 4 x 4 px"):
        united([small, RunMask.of(np.zeros((4, 4), dtype=bool))])
    with pytest.raises(ValueError, match="at least one: these are none"):
        united([])
