"""COCO's segmentations: forms, limits, and the library of COCO as the oracle."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from pycocotools import mask as oracle

from basam.masks import decode_segmentation
from basam.masks.rle import clipped, unpacked


def test_memory_stays_bounded_whatever_the_coordinates():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="outline of"):
        decode_segmentation([[0, 0, 800, 600] * 200_000], 600, 800)
    with pytest.raises(ValueError, match="far outside the image of 800 x 600"):
        decode_segmentation([[1e12, 0, 0, 1e12, 3, 3]], 600, 800)
    decode_segmentation([[-7900, -7900, 8700, 8500, -7000, 8500] * 500], 600, 800)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 200 << 10  # kB


def test_what_reaches_out_of_the_image_is_cut_off():
    around = [[-4000, -4000, 4800, -4000, 4800, 4600, -4000, 4600]]
    assert decode_segmentation(around, 600, 800).all()
    half = decode_segmentation([[-4000, -4000, 400, -4000, 400, 4600, -4000, 4600]], 600, 800)
    assert np.array_equal(np.flatnonzero(half.any(axis=0)), np.arange(400))
    assert not decode_segmentation([[-4000, -10, -3000, -10, -3000, 500]], 600, 800).any()
    # A slanted edge, against the library on a picture that is large enough to hold it.
    triangle = np.array([[100.0, 100.0], [1900.0, 700.0], [300.0, 1500.0]])
    whole = oracle.decode(oracle.frPyObjects([triangle.ravel().tolist()], 2000, 2000))[:600, :800, 0]
    assert (decode_segmentation([triangle.ravel().tolist()], 600, 800) != whole).mean() < 1e-3
    assert clipped(triangle, 800, 600).max() <= 801


def test_compressed_runs_are_those_of_pycocotools():
    generator = np.random.default_rng(0)
    for _ in range(50):
        mask = generator.random(generator.integers(1, 60, 2)) < generator.random()
        text = oracle.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]
        runs = unpacked(text)
        assert np.array_equal(np.repeat(np.arange(len(runs)) % 2 == 1, runs), mask.ravel(order="F"))
