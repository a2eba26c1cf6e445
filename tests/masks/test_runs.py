"""Masks as runs, beside pycocotools and plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as oracle

from basam.masks import RunMask, tight_box
from basam.masks.runs import packed

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: arrays(np.bool_, shape))


@given(MASKS)
@settings(max_examples=200)
def test_runs_are_those_of_pycocotools_and_come_back(mask):
    runs = RunMask.of(mask)
    expected = oracle.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert runs.coco() == {"size": list(mask.shape), "counts": expected["counts"].decode()}
    assert oracle.frPyObjects(runs.uncompressed(), *mask.shape)["counts"] == expected["counts"]
    assert np.array_equal(runs.mask(), mask)
    assert runs.area == mask.sum()
    if mask.any():
        assert runs.box == tuple(tight_box(mask))
        assert runs.part().sum() == mask.sum()
    else:
        assert runs.box == (0, 0, 0, 0)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
@settings(max_examples=200)
def test_shared_pixels(height, width, data):
    one, two = (data.draw(arrays(np.bool_, (height, width))) for _ in range(2))
    assert RunMask.of(one).shared(RunMask.of(two)) == (one & two).sum()


def test_a_part_lies_where_it_was_put():
    part = np.array([[True, False, True], [True, True, True]])
    whole = np.zeros((7, 9), dtype=bool)
    whole[5:7, 4:7] = part
    runs = RunMask.of_part(part, 5, 4, 7, 9)
    assert np.array_equal(runs.mask(), whole)
    assert np.array_equal(runs.counts, RunMask.of(whole).counts)


def test_an_image_wider_than_16_bits_hold():
    mask = np.zeros((2, 70_000), dtype=bool)
    mask[1, 100:69_000] = True
    runs = RunMask.of(mask)
    assert (runs.area, runs.box) == (68_900, (100, 1, 69_000, 2))


@pytest.mark.parametrize("counts", [[5], [0, 3, 1000, 2, 7], [1, 1, 1, 1, 1, 1, 100_000_000, 5], [0, 96]])
def test_packed_as_pycocotools_packs(counts):
    size = [1, sum(counts)]
    assert packed(np.array(counts)) == oracle.frPyObjects({"size": size, "counts": counts}, *size)["counts"].decode()
